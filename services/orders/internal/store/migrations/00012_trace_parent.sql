-- +goose Up
-- The trace in which the order was written, as W3C's traceparent: what looks at the
-- order later links to it. Null when that trace was not recorded.
ALTER TABLE orders.orders ADD COLUMN trace_parent text;
