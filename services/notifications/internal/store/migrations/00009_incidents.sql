-- +goose Up
-- Problems that the team is told of, one row each from its opening until it is over;
-- and digests, which are over when they are made. The previous binary knows none of it.
CREATE TABLE notifications.incidents (
    id                bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key               text        NOT NULL CHECK (key <> ''),
    -- Who reports it; a source's reports say which of its incidents are over.
    source            text        NOT NULL CHECK (source <> ''),
    tier              text        NOT NULL CHECK (tier IN ('PAGE_NOW', 'SAME_DAY', 'DIGEST')),
    words             jsonb       NOT NULL,
    count             bigint      NOT NULL CHECK (count > 0),
    version           bigint      NOT NULL CHECK (version > 0),
    -- What everybody must hear: the opening is 1.
    news              bigint      NOT NULL CHECK (news > 0),
    news_at           timestamptz NOT NULL,
    news_count        bigint      NOT NULL CHECK (news_count > 0),
    news_why          text        NOT NULL DEFAULT '',
    opened_at         timestamptz NOT NULL,
    changed_at        timestamptz NOT NULL,
    resolved_at       timestamptz,
    acknowledged_by   text,
    acknowledged_at   timestamptz,
    acknowledged_news bigint      NOT NULL DEFAULT 0,
    snoozed_until     timestamptz,
    CONSTRAINT incidents_acknowledged CHECK ((acknowledged_by IS NULL) = (acknowledged_at IS NULL)),
    CONSTRAINT incidents_acknowledged_what_was CHECK (acknowledged_news <= news),
    CONSTRAINT incidents_digests_are_over CHECK (tier <> 'DIGEST' OR resolved_at IS NOT NULL)
);
CREATE UNIQUE INDEX incidents_open ON notifications.incidents (key) WHERE resolved_at IS NULL;
CREATE UNIQUE INDEX incidents_digests ON notifications.incidents (key) WHERE tier = 'DIGEST';
CREATE INDEX incidents_by_key ON notifications.incidents (key, id);

-- When each source last looked: an older report that comes later is ignored.
CREATE TABLE notifications.incident_sources (
    source text        PRIMARY KEY,
    as_of  timestamptz NOT NULL
);

-- What happened to each incident; append only.
CREATE TABLE notifications.incident_events (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint      NOT NULL REFERENCES notifications.incidents (id),
    what        text        NOT NULL CHECK (what IN ('opened', 'worse', 'acknowledged', 'snoozed', 'woken', 'resolved')),
    actor       text        NOT NULL CHECK (actor <> ''),
    note        text        NOT NULL,
    at          timestamptz NOT NULL
);
CREATE INDEX incident_events_by_incident ON notifications.incident_events (incident_id, id);

-- What each channel was told of each incident, and when to look whether it must hear more.
CREATE TABLE notifications.incident_channels (
    incident_id  bigint      NOT NULL REFERENCES notifications.incidents (id),
    channel      text        NOT NULL CHECK (channel <> ''),
    news         bigint      NOT NULL DEFAULT 0 CHECK (news >= 0),
    version      bigint      NOT NULL DEFAULT 0 CHECK (version >= 0),
    told_at      timestamptz,
    closed       boolean     NOT NULL DEFAULT false,
    -- Where at Slack it stands.
    thread       text        NOT NULL DEFAULT '',
    -- A post was begun then and its end is not known.
    begun_at     timestamptz,
    failures     integer     NOT NULL DEFAULT 0,
    retry_at     timestamptz,
    last_error   text        NOT NULL DEFAULT '',
    -- NULL: at rest until the incident changes.
    next_look_at timestamptz,
    -- Somebody tells it until then.
    leased_until timestamptz,
    PRIMARY KEY (incident_id, channel),
    CONSTRAINT incident_channels_told CHECK (news = 0 OR told_at IS NOT NULL)
);
CREATE INDEX incident_channels_due ON notifications.incident_channels (next_look_at) WHERE next_look_at IS NOT NULL;

-- How the channels themselves are: a row while one cannot be used.
CREATE TABLE notifications.failing_channels (
    channel   text        PRIMARY KEY,
    since     timestamptz NOT NULL,
    failed_at timestamptz NOT NULL,
    tier      text        NOT NULL CHECK (tier IN ('PAGE_NOW', 'SAME_DAY')),
    -- It will not mend itself, or has lasted: the others were told.
    told      boolean     NOT NULL,
    why       text        NOT NULL
);

-- The mail of an incident: which, and which news it tells. NULL for what the previous
-- binary queued. It is sent only while it is still so.
ALTER TABLE notifications.alerts
    ADD COLUMN incident_id bigint REFERENCES notifications.incidents (id),
    ADD COLUMN news        bigint,
    ADD COLUMN closes      boolean NOT NULL DEFAULT false,
    -- The first mail's Message-ID, so that they stand together.
    ADD COLUMN in_reply_to text    NOT NULL DEFAULT '',
    ADD CONSTRAINT alerts_of_incident CHECK ((incident_id IS NULL) = (news IS NULL));
CREATE INDEX alerts_by_incident ON notifications.alerts (incident_id) WHERE incident_id IS NOT NULL;

-- Wider than before: the previous binary writes nothing that this refuses.
ALTER TABLE notifications.messages
    DROP CONSTRAINT messages_kind_check,
    ADD CONSTRAINT messages_kind_check CHECK (kind IN (
        'CONFIRMATION', 'RECOVERY', 'PAYMENT_FAILED', 'REFUND', 'RENEWED', 'ACTION_REQUIRED', 'ACCESS_ENDING', 'ALERT',
        'STILL_WORKING', 'REFUND_OFFER', 'REPEAT_REFUSED', 'DUPLICATE_REFUNDED', 'DIGEST'
    )),
    DROP CONSTRAINT messages_about_an_order,
    ADD CONSTRAINT messages_about_an_order CHECK ((kind IN ('ALERT', 'DIGEST')) = (order_id IS NULL));
