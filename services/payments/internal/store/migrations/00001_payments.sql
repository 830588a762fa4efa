-- +goose Up

-- One Stripe Customer per address. The row is written before the Customer is
-- created, and its key and parameters come from the row, so that two parallel
-- purchases create one.
CREATE TABLE payments.customers (
    email_key      text PRIMARY KEY,
    first_order_id uuid NOT NULL,
    email          text NOT NULL,
    name           text NOT NULL,
    customer_id    text UNIQUE,
    -- Which try to create the Customer this is; part of Stripe's idempotency key.
    create_try     integer NOT NULL DEFAULT 1,
    tried_at       timestamptz NOT NULL,
    CONSTRAINT customers_email_key CHECK (email_key = lower(btrim(email_key)) AND email_key <> '')
);

-- One row per payment intent. An order has several only when earlier ones were
-- canceled at Stripe.
CREATE TABLE payments.payments (
    id                uuid PRIMARY KEY,
    order_id          uuid NOT NULL,
    seq               integer NOT NULL,
    reference         uuid NOT NULL,
    plan_id           text NOT NULL,
    description       text NOT NULL,
    account_id        text NOT NULL,
    email_key         text NOT NULL REFERENCES payments.customers (email_key),
    amount_minor      bigint NOT NULL,
    currency          text NOT NULL,
    status            text NOT NULL,
    -- Which try to create the intent this is; part of Stripe's idempotency key.
    create_try        integer NOT NULL DEFAULT 1,
    payment_intent_id text,
    customer_id       text,
    client_secret     text,
    redirect_url      text,
    charge_id         text,
    received_minor    bigint,
    received_currency text,
    charged_at        timestamptz,
    decline_code      text,
    decline_message   text,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    CONSTRAINT payments_order_seq UNIQUE (order_id, seq),
    CONSTRAINT payments_intent_unique UNIQUE (payment_intent_id),
    CONSTRAINT payments_charge_unique UNIQUE (charge_id),
    CONSTRAINT payments_amount CHECK (amount_minor > 0),
    CONSTRAINT payments_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT payments_status CHECK (status IN ('CREATING', 'REQUIRES_PAYMENT_METHOD', 'REQUIRES_ACTION', 'PROCESSING', 'SUCCEEDED', 'CANCELED')),
    -- Money moves only when we hold the id by which to find it.
    CONSTRAINT payments_intent_known CHECK (status IN ('CREATING', 'CANCELED') OR payment_intent_id IS NOT NULL),
    CONSTRAINT payments_succeeded CHECK ((status = 'SUCCEEDED') = (charge_id IS NOT NULL)
        AND (charge_id IS NULL) = (charged_at IS NULL) AND (charge_id IS NULL) = (received_minor IS NULL))
);
-- One payable intent per order.
CREATE UNIQUE INDEX payments_one_payable ON payments.payments (order_id) WHERE status <> 'CANCELED';

-- An attempt is one confirm of the intent; its id is the confirm's key.
CREATE TABLE payments.attempts (
    id             uuid PRIMARY KEY,
    payment_id     uuid NOT NULL REFERENCES payments.payments (id),
    order_id       uuid NOT NULL,
    -- Counts the payment's attempts; clocks that differ must not reorder them.
    seq            integer NOT NULL,
    -- Kept until the attempt rests; empty when the browser confirms.
    payment_method text,
    status         text NOT NULL,
    -- The failed charge by which Stripe's refusal is known to be this attempt's.
    failed_charge  text,
    created_at     timestamptz NOT NULL,
    decided_at     timestamptz,
    next_look_at   timestamptz,
    look_count     integer NOT NULL DEFAULT 0,
    last_look_at   timestamptz,
    CONSTRAINT attempts_payment_seq UNIQUE (payment_id, seq),
    CONSTRAINT attempts_status CHECK (status IN ('OPEN', 'REQUIRES_ACTION', 'PROCESSING', 'SUCCEEDED', 'DECLINED', 'CANCELED')),
    -- Neither decided nor due is impossible.
    CONSTRAINT attempts_rest_or_due CHECK ((status IN ('OPEN', 'REQUIRES_ACTION', 'PROCESSING')) = (next_look_at IS NOT NULL)),
    CONSTRAINT attempts_decided CHECK ((next_look_at IS NULL) = (decided_at IS NOT NULL)),
    CONSTRAINT attempts_payment_method CHECK (payment_method IS NULL OR next_look_at IS NOT NULL)
);
CREATE UNIQUE INDEX attempts_one_undecided ON payments.attempts (payment_id) WHERE next_look_at IS NOT NULL;
CREATE INDEX attempts_due ON payments.attempts (next_look_at) WHERE next_look_at IS NOT NULL;

-- One row per Stripe event: what it was, whose, and what became of it.
CREATE TABLE payments.webhook_events (
    stripe_event_id   text PRIMARY KEY,
    type              text NOT NULL,
    livemode          boolean NOT NULL,
    api_version       text NOT NULL,
    object_id         text NOT NULL,
    status            text NOT NULL,
    -- Handlings begun by Stripe's deliveries, and by our own retry.
    attempt_count     integer NOT NULL DEFAULT 0,
    retry_count       integer NOT NULL DEFAULT 0,
    last_error        text,
    customer_id       text,
    customer_email    text,
    resolution_method text,
    -- The signed bytes, exactly as they came.
    payload           bytea NOT NULL,
    received_at       timestamptz NOT NULL,
    processed_at      timestamptz,
    next_look_at      timestamptz,
    -- Until then one handling has it in hand; another delivery waits.
    in_hand_until     timestamptz,
    CONSTRAINT webhook_events_status CHECK (status IN ('RECEIVED', 'PROCESSED', 'IGNORED', 'ORPHANED', 'FAILED', 'QUARANTINED')),
    CONSTRAINT webhook_events_rest_or_due CHECK ((status IN ('RECEIVED', 'FAILED')) = (next_look_at IS NOT NULL)),
    CONSTRAINT webhook_events_processed CHECK ((next_look_at IS NULL) = (processed_at IS NOT NULL))
);
CREATE INDEX webhook_events_due ON payments.webhook_events (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE INDEX webhook_events_orphaned ON payments.webhook_events (received_at DESC) WHERE status = 'ORPHANED';
CREATE INDEX webhook_events_failed ON payments.webhook_events (attempt_count DESC) WHERE status = 'FAILED';
