-- +goose Up
CREATE TABLE provisioning.subscriptions (
    subscription_id text PRIMARY KEY,
    order_id        uuid NOT NULL,
    status          text NOT NULL,
    renews          boolean NOT NULL,
    observed_at     timestamptz NOT NULL,
    grace_until     timestamptz,
    CONSTRAINT subscriptions_status_known CHECK (status IN ('ACTIVE', 'PAST_DUE', 'PAUSED', 'ENDED')),
    CONSTRAINT subscriptions_past_due_has_grace CHECK (status <> 'PAST_DUE' OR grace_until IS NOT NULL),
    CONSTRAINT subscriptions_grace_only_while_unpaid CHECK (status IN ('PAST_DUE', 'PAUSED') OR grace_until IS NULL)
);

COMMENT ON TABLE provisioning.subscriptions IS 'how each subscription stood at Stripe when it was last read';
COMMENT ON COLUMN provisioning.subscriptions.order_id IS 'the order that began it';
COMMENT ON COLUMN provisioning.subscriptions.grace_until IS 'from when it was first seen past due; only ACTIVE begins anew';

CREATE TABLE provisioning.withdrawals (
    order_id uuid PRIMARY KEY,
    at       timestamptz NOT NULL
);

COMMENT ON TABLE provisioning.withdrawals IS 'orders that were withdrawn before they were granted: they never will be';

ALTER TABLE provisioning.grants
    ADD COLUMN subscription_id text,
    ADD COLUMN length text NOT NULL DEFAULT 'MONTHS',
    ADD COLUMN withdrawn_at timestamptz,
    ADD COLUMN ended_at timestamptz;

COMMENT ON COLUMN provisioning.grants.length IS 'how the end follows from the start: calendar MONTHS; the paid PERIOD of a subscription, never moved; the same span of TIME, after a restoration';
COMMENT ON COLUMN provisioning.grants.withdrawn_at IS 'when its order was withdrawn';
COMMENT ON COLUMN provisioning.grants.ended_at IS 'when its subscription ended before the term did';

UPDATE provisioning.grants SET withdrawn_at = revoked_at WHERE revoked_at IS NOT NULL;

ALTER TABLE provisioning.grants
    ADD CONSTRAINT grants_length_known CHECK (length IN ('MONTHS', 'PERIOD', 'TIME')),
    ADD CONSTRAINT grants_revoked_when_withdrawn_or_ended CHECK (revoked_at IS NOT DISTINCT FROM LEAST(withdrawn_at, ended_at));

CREATE INDEX grants_by_subscription ON provisioning.grants (subscription_id, ends_at) WHERE subscription_id IS NOT NULL;

CREATE TABLE provisioning.grant_events (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id  uuid NOT NULL,
    what      text NOT NULL,
    at        timestamptz NOT NULL,
    starts_at timestamptz,
    ends_at   timestamptz,
    CONSTRAINT grant_events_what_known CHECK (what IN ('GRANTED', 'WITHDRAWN', 'MOVED', 'RESTORED', 'ENDED', 'RESUMED')),
    CONSTRAINT grant_events_whole_stretch CHECK ((starts_at IS NULL) = (ends_at IS NULL)),
    CONSTRAINT grant_events_end_after_start CHECK (ends_at > starts_at)
);

COMMENT ON TABLE provisioning.grant_events IS 'what happened to the access of each order; append only';
COMMENT ON COLUMN provisioning.grant_events.starts_at IS 'with ends_at, the access given, moved to or taken; none when nothing was left to take or to give';

CREATE INDEX grant_events_by_order ON provisioning.grant_events (order_id, id);

INSERT INTO provisioning.grant_events (order_id, what, at, starts_at, ends_at)
SELECT order_id, 'GRANTED', created_at, starts_at, ends_at
FROM provisioning.grants
ORDER BY created_at;
