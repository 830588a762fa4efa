-- +goose Up
-- A customer paid and has no access past what was promised. The previous binary does
-- not touch it.
ALTER TABLE reconciliation.cases ADD COLUMN urgent boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN reconciliation.cases.told_at IS 'when an earlier version had the team told; the team is told of incidents since';
COMMENT ON COLUMN reconciliation.cases.next_look_at IS 'when it is to be found out who waits because of it, or when it is woken';

-- When how the cases stand is next told to Notifications; one row, so that of all
-- instances one tells.
CREATE TABLE reconciliation.incident_looks (
    only_row      boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    look_again_at timestamptz NOT NULL
);
INSERT INTO reconciliation.incident_looks (look_again_at) VALUES ('2000-01-01 00:00:00+00');
