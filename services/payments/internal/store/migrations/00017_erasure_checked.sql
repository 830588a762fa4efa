-- +goose NO TRANSACTION
-- +goose Up
-- Read beside the traffic.
ALTER TABLE payments.payments VALIDATE CONSTRAINT payments_email_key_fkey;
