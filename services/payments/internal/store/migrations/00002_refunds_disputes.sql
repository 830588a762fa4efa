-- +goose Up
ALTER TABLE payments.payments
    ADD COLUMN refunded_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN dispute text CHECK (dispute IN ('OPEN', 'LOST', 'WON')),
    -- When Stripe was asked for what the row says of the charge: an answer to an
    -- older question never overwrites a newer one.
    ADD COLUMN charge_read_at timestamptz,
    ADD CONSTRAINT payments_refunded CHECK (refunded_minor >= 0 AND refunded_minor <= coalesce(received_minor, 0));

-- A refund is written before Stripe is asked for it, and its id is the key.
CREATE TABLE payments.refunds (
    id               uuid PRIMARY KEY,
    payment_id       uuid NOT NULL REFERENCES payments.payments (id),
    order_id         uuid NOT NULL,
    stripe_refund_id text UNIQUE,
    amount_minor     bigint NOT NULL CHECK (amount_minor > 0),
    currency         text NOT NULL,
    status           text NOT NULL CHECK (status IN ('REQUESTED', 'PENDING', 'SUCCEEDED', 'FAILED')),
    reason           text NOT NULL,
    actor            text NOT NULL,
    -- Which try to make it this is, part of Stripe's idempotency key, and since when.
    create_try       integer NOT NULL DEFAULT 1,
    tried_at         timestamptz NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    next_look_at     timestamptz,
    look_count       integer NOT NULL DEFAULT 0,
    -- Asked for and not answered: looked at again until it is.
    CONSTRAINT refunds_rest_or_due CHECK ((status IN ('REQUESTED', 'PENDING')) = (next_look_at IS NOT NULL)),
    CONSTRAINT refunds_stripe_id CHECK (status IN ('REQUESTED', 'FAILED') OR stripe_refund_id IS NOT NULL)
);
CREATE INDEX refunds_order ON payments.refunds (order_id, created_at);
CREATE INDEX refunds_due ON payments.refunds (next_look_at) WHERE next_look_at IS NOT NULL;
-- One wish at a time: a double click or a second person waits for the first.
CREATE UNIQUE INDEX refunds_one_requested ON payments.refunds (payment_id) WHERE status = 'REQUESTED';
