-- +goose Up
-- A payment that pays a term of a subscription names the invoice and the period.
ALTER TABLE payments.payments
    -- The purchase is a subscription, charged again after so many months; 0 is a one-off.
    ADD COLUMN renews_months integer NOT NULL DEFAULT 0 CONSTRAINT payments_renews_months CHECK (renews_months BETWEEN 0 AND 36),
    -- The order that began the subscription, when this is a later term's.
    ADD COLUMN renews_order_id uuid,
    ADD COLUMN subscription_id text,
    ADD COLUMN invoice_id text CONSTRAINT payments_invoice_unique UNIQUE,
    ADD COLUMN term_start timestamptz,
    ADD COLUMN term_end timestamptz,
    -- When Orders acknowledged the term; a term is told until then.
    ADD COLUMN told_at timestamptz,
    ADD CONSTRAINT payments_term CHECK (num_nonnulls(subscription_id, invoice_id, term_start, term_end) IN (0, 4) AND term_start < term_end),
    ADD CONSTRAINT payments_renewal CHECK (renews_order_id IS NULL OR renews_order_id <> order_id);
CREATE INDEX payments_subscription ON payments.payments (subscription_id, term_start) WHERE subscription_id IS NOT NULL;

-- One row per subscription whose first term was paid: how it stood when Stripe
-- was last asked.
CREATE TABLE payments.subscriptions (
    subscription_id   text PRIMARY KEY,
    order_id          uuid NOT NULL CONSTRAINT subscriptions_order_unique UNIQUE,
    customer_id       text NOT NULL,
    status            text NOT NULL,
    renews            boolean NOT NULL,
    period_start      timestamptz NOT NULL,
    period_end        timestamptz NOT NULL,
    -- When Stripe was asked; null until it is first followed.
    observed_at       timestamptz,
    -- Invoices made before are settled for good: they are not listed again.
    settled_until     timestamptz,
    -- Invoices of which a person was told, because they buy no term by themselves.
    reported_invoices text[] NOT NULL DEFAULT '{}',
    next_look_at      timestamptz,
    -- Looks since the last that came to its end.
    look_count        integer NOT NULL DEFAULT 0,
    CONSTRAINT subscriptions_status CHECK (status IN ('ACTIVE', 'PAST_DUE', 'PAUSED', 'UNPAID', 'ENDED')),
    -- What is not over is looked at again.
    CONSTRAINT subscriptions_rest_or_due CHECK (status = 'ENDED' OR next_look_at IS NOT NULL)
);
CREATE INDEX subscriptions_due ON payments.subscriptions (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE INDEX subscriptions_customer ON payments.subscriptions (customer_id);
