-- +goose Up
CREATE TABLE orders.orders (
    id                    uuid PRIMARY KEY,
    reference             uuid NOT NULL,
    kind                  text NOT NULL,
    state                 text NOT NULL,
    version               integer NOT NULL DEFAULT 1,
    plan_id               text NOT NULL,
    plan_name             text NOT NULL,
    term_months           integer NOT NULL,
    amount_minor          bigint NOT NULL,
    currency              text NOT NULL,
    email                 text NOT NULL,
    email_key             text NOT NULL,
    name                  text NOT NULL,
    account_id            text NOT NULL,
    checkout              text NOT NULL,
    -- The buyer said that buying the same again is meant.
    allow_repeat          boolean NOT NULL,
    created_at            timestamptz NOT NULL,

    -- The last submission of the buyer: who was here when, with what.
    attempt_id            uuid NOT NULL,
    payment_method        text,
    submitted_at          timestamptz NOT NULL,

    -- What Payments said last.
    payment_status        text NOT NULL DEFAULT 'UNKNOWN',
    payment_error_code    text,
    payment_error_message text,
    client_secret         text,
    redirect_url          text,
    payment_intent_id     text,
    charge_id             text,
    customer_id           text,
    charged_at            timestamptz,

    completed_at          timestamptz,
    access_until          timestamptz,
    recovered_by          text,

    last_progress_at      timestamptz NOT NULL,
    next_look_at          timestamptz,
    look_count            integer NOT NULL DEFAULT 0,
    last_look_at          timestamptz,

    CONSTRAINT orders_reference_unique UNIQUE (reference),
    CONSTRAINT orders_kind CHECK (kind IN ('PURCHASE', 'RENEWAL')),
    CONSTRAINT orders_state CHECK (state IN ('PENDING', 'CHARGED', 'COMPLETE', 'RECOVERED', 'FAILED', 'EXPIRED', 'ORPHANED', 'REFUNDED')),
    CONSTRAINT orders_payment_status CHECK (payment_status IN ('UNKNOWN', 'REQUIRES_PAYMENT_METHOD', 'REQUIRES_ACTION', 'PROCESSING', 'SUCCEEDED', 'CANCELED')),
    CONSTRAINT orders_checkout CHECK (checkout IN ('SERVER', 'CLIENT', 'HOSTED')),
    CONSTRAINT orders_amount CHECK (amount_minor > 0),
    CONSTRAINT orders_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT orders_term CHECK (term_months > 0),
    CONSTRAINT orders_email_key CHECK (email_key = lower(btrim(email_key)) AND email_key <> ''),
    -- Neither at rest nor due is impossible: every order carries its own rescue.
    -- REFUNDED may rest or wait for its access to be withdrawn.
    CONSTRAINT orders_rest_or_due CHECK (CASE
        WHEN state IN ('PENDING', 'CHARGED', 'ORPHANED') THEN next_look_at IS NOT NULL
        WHEN state = 'REFUNDED' THEN true
        ELSE next_look_at IS NULL END),
    -- A paid state names the charge; one that was never paid names none.
    CONSTRAINT orders_paid CHECK (CASE
        WHEN state IN ('CHARGED', 'COMPLETE', 'RECOVERED', 'ORPHANED', 'REFUNDED')
            THEN charge_id IS NOT NULL AND charged_at IS NOT NULL
        ELSE charge_id IS NULL AND charged_at IS NULL END),
    CONSTRAINT orders_complete CHECK (state NOT IN ('COMPLETE', 'RECOVERED') OR (completed_at IS NOT NULL AND access_until IS NOT NULL)),
    CONSTRAINT orders_recovered_by CHECK (recovered_by ~ '^(rescue|webhook|reconciliation|support:.+)$'),
    -- A card is kept only while it may still be charged.
    CONSTRAINT orders_payment_method CHECK (payment_method IS NULL OR state = 'PENDING')
);
CREATE UNIQUE INDEX orders_charge_unique ON orders.orders (charge_id) WHERE charge_id IS NOT NULL;
CREATE UNIQUE INDEX orders_payment_intent_unique ON orders.orders (payment_intent_id) WHERE payment_intent_id IS NOT NULL;
CREATE INDEX orders_due ON orders.orders (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE INDEX orders_stuck ON orders.orders (last_progress_at, id) WHERE next_look_at IS NOT NULL;
CREATE INDEX orders_same_purchase ON orders.orders (email_key, plan_id, created_at);

CREATE TABLE orders.history (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id   uuid NOT NULL REFERENCES orders.orders (id),
    from_state text,
    to_state   text NOT NULL,
    reason     text NOT NULL,
    actor      text NOT NULL,
    note       text NOT NULL,
    at         timestamptz NOT NULL,
    CONSTRAINT history_reason CHECK (reason IN ('request', 'rescue', 'webhook', 'reconciliation', 'support')),
    CONSTRAINT history_actor CHECK (actor IN ('buyer', 'system') OR actor LIKE 'support:_%')
);
CREATE INDEX history_order ON orders.history (order_id, id);

-- One row each time a buyer submits a card: what limits are counted from, and
-- which attempts an order has had.
CREATE TABLE orders.submissions (
    attempt_id uuid PRIMARY KEY,
    order_id   uuid NOT NULL REFERENCES orders.orders (id),
    email_key  text NOT NULL,
    client_ip  text NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX submissions_order ON orders.submissions (order_id, at);
CREATE INDEX submissions_email ON orders.submissions (email_key, at);
CREATE INDEX submissions_ip ON orders.submissions (client_ip, at);

-- The newest row says whether new charges are paused, by whom and why.
CREATE TABLE orders.charging_switch (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    paused boolean NOT NULL,
    actor  text NOT NULL,
    reason text NOT NULL,
    at     timestamptz NOT NULL
);
