-- +goose Up
-- The trace that last made the account due, as W3C's traceparent: the look that tells
-- the app links to it. Null when that trace was not recorded.
ALTER TABLE provisioning.app_access ADD COLUMN trace_parent text;
