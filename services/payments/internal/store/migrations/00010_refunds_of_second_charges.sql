-- +goose Up
-- The previous binary writes none, which is the payment's own charge.
ALTER TABLE payments.refunds ADD COLUMN charge_id text;

COMMENT ON COLUMN payments.refunds.charge_id IS 'of a second charge for the order; none is the charge that paid it';
