-- +goose Up
-- Where Stripe's page or invoice asked for nothing, a paid order has no charge.
ALTER TABLE orders.orders
    DROP CONSTRAINT orders_amount,
    DROP CONSTRAINT orders_paid,
    DROP CONSTRAINT orders_term_paid;
ALTER TABLE orders.orders
    ADD CONSTRAINT orders_amount CHECK (amount_minor > 0 OR amount_minor = 0 AND charged_at IS NOT NULL) NOT VALID,
    ADD CONSTRAINT orders_paid CHECK (CASE
        WHEN state IN ('CHARGED', 'COMPLETE', 'RECOVERED', 'ORPHANED', 'REFUNDED')
            THEN charged_at IS NOT NULL AND (charge_id IS NULL) = (amount_minor = 0)
        ELSE charge_id IS NULL AND charged_at IS NULL END) NOT VALID,
    ADD CONSTRAINT orders_term_paid CHECK (CASE
        WHEN subscription_id IS NULL THEN period_start IS NULL AND period_end IS NULL AND kind <> 'RENEWAL'
        ELSE subscription_id <> '' AND period_start IS NOT NULL AND period_end IS NOT NULL AND period_start < period_end
            AND charged_at IS NOT NULL END) NOT VALID;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_amount;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_paid;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_term_paid;
