-- +goose Up

-- The Stripe customers that people linked to an address; there are few.
CREATE INDEX customer_links_email_key ON payments.customer_links (email_key);
