-- +goose Up
ALTER TABLE orders.orders
    -- The plan is a subscription.
    ADD COLUMN renews boolean NOT NULL DEFAULT false,
    -- Of a RENEWAL: the order that began the subscription.
    ADD COLUMN renews_order_id uuid REFERENCES orders.orders (id),
    -- Which term of which subscription was paid.
    ADD COLUMN subscription_id text,
    ADD COLUMN period_start timestamptz,
    ADD COLUMN period_end timestamptz;

ALTER TABLE orders.orders
    ADD CONSTRAINT orders_renews_hosted CHECK (NOT renews OR checkout = 'HOSTED') NOT VALID,
    ADD CONSTRAINT orders_renewal CHECK ((kind = 'RENEWAL') = (renews_order_id IS NOT NULL)) NOT VALID,
    ADD CONSTRAINT orders_renews_another CHECK (renews_order_id <> id) NOT VALID,
    -- A whole term or none, and only of money that arrived.
    ADD CONSTRAINT orders_term_paid CHECK (CASE
        WHEN subscription_id IS NULL THEN period_start IS NULL AND period_end IS NULL AND kind <> 'RENEWAL'
        ELSE subscription_id <> '' AND period_start IS NOT NULL AND period_end IS NOT NULL AND period_start < period_end
            AND charge_id IS NOT NULL END) NOT VALID;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_renews_hosted;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_renewal;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_renews_another;
ALTER TABLE orders.orders VALIDATE CONSTRAINT orders_term_paid;
CREATE INDEX orders_renewals ON orders.orders (renews_order_id) WHERE renews_order_id IS NOT NULL;

-- How each subscription stood when Stripe was last read. Payments is the one who
-- looks again; this is what Orders was told.
CREATE TABLE orders.subscriptions (
    subscription_id        text PRIMARY KEY,
    -- The order that began it.
    order_id               uuid NOT NULL REFERENCES orders.orders (id),
    status                 text NOT NULL,
    renews                 boolean NOT NULL,
    current_period_end     timestamptz,
    unpaid_invoice_id      text,
    unpaid_amount_minor    bigint,
    unpaid_currency        text,
    unpaid_url             text,
    unpaid_action_required boolean,
    unpaid_next_attempt_at timestamptz,
    observed_at            timestamptz NOT NULL,
    -- What Provisioning answered to the latest observation that it was told.
    access_until           timestamptz,
    CONSTRAINT subscriptions_order_unique UNIQUE (order_id),
    CONSTRAINT subscriptions_id CHECK (subscription_id <> ''),
    CONSTRAINT subscriptions_status CHECK (status IN ('ACTIVE', 'PAST_DUE', 'PAUSED', 'UNPAID', 'ENDED')),
    -- A whole unpaid invoice or none.
    CONSTRAINT subscriptions_unpaid CHECK (CASE
        WHEN unpaid_invoice_id IS NULL THEN coalesce(unpaid_amount_minor::text, unpaid_currency, unpaid_url,
            unpaid_action_required::text, unpaid_next_attempt_at::text) IS NULL
        ELSE unpaid_invoice_id <> '' AND unpaid_amount_minor >= 0 AND unpaid_currency ~ '^[A-Z]{3}$'
            AND unpaid_url IS NOT NULL AND unpaid_action_required IS NOT NULL END)
);

-- What the buyer of a subscription was told: each notice once, for good.
CREATE TABLE orders.notices (
    dedupe_key      text PRIMARY KEY,
    subscription_id text NOT NULL REFERENCES orders.subscriptions (subscription_id),
    queued_at       timestamptz NOT NULL
);
