-- +goose Up
ALTER TABLE orders.orders
    -- By when its buyer was told that there is access, or that it is known whether
    -- money was taken; the last such time that was not kept, and how many were not.
    ADD COLUMN promise_by timestamptz,
    ADD COLUMN promise_missed_by timestamptz,
    ADD COLUMN promise_missed_count integer NOT NULL DEFAULT 0,
    -- When "we have your payment, still setting up" was queued.
    ADD COLUMN still_working_at timestamptz,
    -- The refund that was offered by mail: what takes it, since when and until when;
    -- when its buyer took it, and when it turned out that it cannot be made.
    ADD COLUMN refund_token text,
    ADD COLUMN refund_offered_at timestamptz,
    ADD COLUMN refund_offer_until timestamptz,
    ADD COLUMN refund_asked_at timestamptz,
    ADD COLUMN refund_failed_at timestamptz;

-- The previous binary leaves these columns as they are.
ALTER TABLE orders.orders
    ADD CONSTRAINT orders_promise_missed CHECK (promise_missed_count >= 0 AND (promise_missed_count > 0) = (promise_missed_by IS NOT NULL)) NOT VALID,
    ADD CONSTRAINT orders_still_working CHECK (still_working_at IS NULL OR charged_at IS NOT NULL) NOT VALID,
    -- A whole offer or none, only after the first word about the delay, and only for money that arrived.
    ADD CONSTRAINT orders_refund_offer CHECK (CASE
        WHEN refund_token IS NULL THEN coalesce(refund_offered_at, refund_offer_until, refund_asked_at) IS NULL
        ELSE length(refund_token) >= 26 AND refund_offered_at < refund_offer_until AND still_working_at <= refund_offered_at
            AND refund_offered_at IS NOT NULL AND refund_offer_until IS NOT NULL AND still_working_at IS NOT NULL END) NOT VALID,
    ADD CONSTRAINT orders_refund_failed CHECK (refund_failed_at IS NULL OR refund_asked_at IS NOT NULL) NOT VALID;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_promise_missed;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_still_working;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_refund_offer;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_refund_failed;

-- An order whose buyer took the refund rests only when that is decided, too.
ALTER TABLE orders.orders DROP CONSTRAINT orders_rest_or_due;
ALTER TABLE orders.orders ADD CONSTRAINT orders_rest_or_due CHECK (CASE
    WHEN state IN ('PENDING', 'CHARGED', 'ORPHANED') THEN next_look_at IS NOT NULL
    WHEN state IN ('COMPLETE', 'RECOVERED', 'REFUNDED') THEN
        (next_look_at IS NOT NULL) = ((state = 'REFUNDED' OR coalesce(dispute, '') = 'LOST') <> (access_withdrawn_at IS NOT NULL)
            OR state <> 'REFUNDED' AND refund_asked_at IS NOT NULL AND refund_failed_at IS NULL)
    ELSE next_look_at IS NULL END) NOT VALID;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_rest_or_due;

-- How long recoveries took lately.
CREATE INDEX orders_recovered ON orders.orders (completed_at) WHERE recovered_by IS NOT NULL AND completed_at IS NOT NULL;
