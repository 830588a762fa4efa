-- +goose Up

-- The names (intent, charge, session, subscription, customer, order, account)
-- whose saving here makes a finished event due again: of an event for which
-- nobody was found, or that came before what it is about was known as ours.
ALTER TABLE payments.webhook_events
    ADD COLUMN waits_for text[] CONSTRAINT webhook_events_waits CHECK (waits_for IS NULL OR status IN ('ORPHANED', 'IGNORED'));
UPDATE payments.webhook_events SET waits_for = array_remove(ARRAY[nullif(object_id, ''), customer_id], NULL) WHERE status = 'ORPHANED';
CREATE INDEX webhook_events_waiting ON payments.webhook_events USING gin (waits_for) WHERE waits_for IS NOT NULL;

-- For the lists of people.
CREATE INDEX webhook_events_newest ON payments.webhook_events (received_at DESC, stripe_event_id DESC);
CREATE INDEX webhook_events_customer ON payments.webhook_events (customer_id, received_at DESC) WHERE customer_id IS NOT NULL;

-- By which names a person is found.
CREATE INDEX payments_customer ON payments.payments (customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX payments_email_key ON payments.payments (email_key);
CREATE INDEX payments_account ON payments.payments (account_id) WHERE account_id <> '';

-- Whose a Stripe customer is, where a person said so; append-only.
CREATE TABLE payments.customer_links (
    customer_id     text PRIMARY KEY,
    order_id        uuid NOT NULL,
    email_key       text NOT NULL REFERENCES payments.customers (email_key),
    stripe_event_id text NOT NULL REFERENCES payments.webhook_events (stripe_event_id),
    actor           text NOT NULL CHECK (actor <> ''),
    reason          text NOT NULL CHECK (reason <> ''),
    linked_at       timestamptz NOT NULL
);

-- What people did with events; append-only.
CREATE TABLE payments.event_actions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stripe_event_id text NOT NULL REFERENCES payments.webhook_events (stripe_event_id),
    action          text NOT NULL CHECK (action IN ('LINKED', 'REPLAYED', 'IGNORED')),
    actor           text NOT NULL CHECK (actor <> ''),
    reason          text NOT NULL,
    order_id        uuid,
    at              timestamptz NOT NULL,
    CONSTRAINT event_actions_order CHECK ((action = 'LINKED') = (order_id IS NOT NULL)),
    CONSTRAINT event_actions_reason CHECK (action = 'REPLAYED' OR reason <> '')
);
CREATE INDEX event_actions_event ON payments.event_actions (stripe_event_id, id);
