-- +goose Up
-- Whoever starts again ends at once what it had in hand when it was killed; the others
-- wait for the lease. Without a name, as a previous binary writes it, only the lease counts.
ALTER TABLE reconciliation.runs ADD COLUMN instance text NOT NULL DEFAULT '';

COMMENT ON COLUMN reconciliation.runs.instance IS 'the process that runs it, by a name that stays the same over its restarts';
