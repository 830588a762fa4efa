-- +goose Up
-- By completion, for whoever checks that what was completed was also told.
CREATE INDEX orders_completed ON orders.orders (completed_at, id) WHERE completed_at IS NOT NULL;
-- Who was first with an address: their order made the account.
CREATE INDEX orders_completed_by_email ON orders.orders (email_key, completed_at, id) WHERE completed_at IS NOT NULL;
