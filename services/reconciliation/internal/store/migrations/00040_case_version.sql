-- +goose Up
-- Who closes a case says what they saw of it. The previous binary leaves it alone.
ALTER TABLE reconciliation.cases ADD COLUMN version bigint NOT NULL DEFAULT 1;

COMMENT ON COLUMN reconciliation.cases.version IS 'grows with each report that says something new';
