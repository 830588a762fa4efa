-- +goose Up
-- A bank may decide for a part of what was disputed. The previous binary leaves it empty.
ALTER TABLE reconciliation.disputes ADD COLUMN lost_minor bigint;

COMMENT ON COLUMN reconciliation.disputes.lost_minor IS 'what of amount_minor the bank has taken for good, when it is lost; null when that was not kept, and then it is all of it';
