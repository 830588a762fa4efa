-- +goose Up
-- The trace in which the payment was written, as W3C's traceparent: what looks at the
-- payment later links to it. Null when that trace was not recorded.
ALTER TABLE payments.payments ADD COLUMN trace_parent text;
