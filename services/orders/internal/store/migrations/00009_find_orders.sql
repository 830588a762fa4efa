-- +goose NO TRANSACTION
-- +goose Up

-- By which names a customer's orders are found. Built beside the traffic; what an
-- earlier try left half built is of no use.

-- The mailbox of an address: jane+x@example.com is read where jane@example.com is.
DROP INDEX CONCURRENTLY IF EXISTS orders.orders_mailbox;
CREATE INDEX CONCURRENTLY orders_mailbox ON orders.orders ((regexp_replace(email_key, '\+[^@]*@', '@')), created_at);

DROP INDEX CONCURRENTLY IF EXISTS orders.orders_customer;
CREATE INDEX CONCURRENTLY orders_customer ON orders.orders (customer_id) WHERE customer_id IS NOT NULL;

DROP INDEX CONCURRENTLY IF EXISTS orders.orders_account;
CREATE INDEX CONCURRENTLY orders_account ON orders.orders (account_id) WHERE account_id <> '';
