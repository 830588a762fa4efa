-- +goose NO TRANSACTION
-- +goose Up
-- Of the newest runs, those that found events which had not come, are asked for each
-- minute: most runs find none, and all of them were read for it. Each statement may be
-- run again; runs are written while this runs.
DROP INDEX CONCURRENTLY IF EXISTS reconciliation.runs_that_found_events;
CREATE INDEX CONCURRENTLY runs_that_found_events ON reconciliation.runs (id) WHERE NOT dry_run AND events_added > 0;
