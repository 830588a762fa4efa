-- +goose Up
-- What the same person paid for the same before: a range of this index, so that an
-- order without such a one is not read for it. It also answers what the other did.
CREATE INDEX orders_same_purchase_paid ON orders.orders (email_key, plan_id, charged_at, created_at, id);
DROP INDEX orders.orders_same_purchase;
