-- +goose Up

-- What Stripe's page or invoice asked for, when that is not what the order asked
-- for: a coupon, tax or credit counts there.
ALTER TABLE payments.payments ADD COLUMN asked_minor bigint CONSTRAINT payments_asked CHECK (asked_minor > 0);

-- Where nothing was due, there is neither a charge nor an intent.
ALTER TABLE payments.payments
    DROP CONSTRAINT payments_amount,
    DROP CONSTRAINT payments_succeeded,
    DROP CONSTRAINT payments_intent_known;
ALTER TABLE payments.payments
    ADD CONSTRAINT payments_amount CHECK (amount_minor >= 0) NOT VALID,
    ADD CONSTRAINT payments_succeeded CHECK ((status = 'SUCCEEDED') = (charged_at IS NOT NULL)
        AND (charged_at IS NULL) = (received_minor IS NULL)
        AND (charge_id IS NULL) = (coalesce(received_minor, 0) = 0)) NOT VALID,
    ADD CONSTRAINT payments_intent_known CHECK (
        status IN ('CREATING', 'CANCELED') OR payment_intent_id IS NOT NULL
        OR (status IN ('REQUIRES_ACTION', 'PROCESSING') AND checkout_session_id IS NOT NULL)
        OR (status = 'SUCCEEDED' AND received_minor = 0)) NOT VALID;
ALTER TABLE payments.payments VALIDATE CONSTRAINT payments_amount;
ALTER TABLE payments.payments VALIDATE CONSTRAINT payments_succeeded;
ALTER TABLE payments.payments VALIDATE CONSTRAINT payments_intent_known;

-- An event that is not finished may wait for names, too.
ALTER TABLE payments.webhook_events DROP CONSTRAINT webhook_events_waits;

-- A customer may be said to be the holder of an account who bought nothing here.
ALTER TABLE payments.customer_links
    ALTER COLUMN order_id DROP NOT NULL,
    ADD COLUMN account_id text CHECK (account_id <> ''),
    DROP CONSTRAINT customer_links_email_key_fkey,
    ADD CONSTRAINT customer_links_whose CHECK (num_nonnulls(order_id, account_id) = 1) NOT VALID;
ALTER TABLE payments.customer_links VALIDATE CONSTRAINT customer_links_whose;
ALTER TABLE payments.event_actions
    ADD COLUMN account_id text CHECK (account_id <> ''),
    DROP CONSTRAINT event_actions_order,
    ADD CONSTRAINT event_actions_whose CHECK (num_nonnulls(order_id, account_id) = CASE action WHEN 'LINKED' THEN 1 ELSE 0 END) NOT VALID;
ALTER TABLE payments.event_actions VALIDATE CONSTRAINT event_actions_whose;
