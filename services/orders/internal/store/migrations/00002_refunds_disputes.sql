-- +goose Up
ALTER TABLE orders.orders
    ADD COLUMN refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor >= 0),
    ADD COLUMN dispute text CHECK (dispute IN ('OPEN', 'LOST', 'WON')),
    ADD COLUMN access_withdrawn_at timestamptz;

-- A paid order also rests only when its access is as it should be: withdrawn
-- when the money is gone, there when it is not.
ALTER TABLE orders.orders DROP CONSTRAINT orders_rest_or_due;
ALTER TABLE orders.orders ADD CONSTRAINT orders_rest_or_due CHECK (CASE
    WHEN state IN ('PENDING', 'CHARGED', 'ORPHANED') THEN next_look_at IS NOT NULL
    WHEN state IN ('COMPLETE', 'RECOVERED', 'REFUNDED') THEN
        (next_look_at IS NOT NULL) = ((state = 'REFUNDED' OR coalesce(dispute, '') = 'LOST') <> (access_withdrawn_at IS NOT NULL))
    ELSE next_look_at IS NULL END) NOT VALID;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_rest_or_due;
