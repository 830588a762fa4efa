-- +goose Up
-- When the buyer's name and address were taken out of the order; nobody is written to
-- about it any more. The previous binary leaves it alone.
ALTER TABLE orders.orders ADD COLUMN erased_at timestamptz;
