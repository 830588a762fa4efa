-- +goose Up
-- The orders whose terms were paid after the subscription had ended. With them the
-- end can be told again to a Provisioning that lost what it knew. Null is not known:
-- written by a binary that kept none.
ALTER TABLE orders.subscriptions ADD COLUMN paid_since uuid[];
