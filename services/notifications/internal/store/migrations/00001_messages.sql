-- +goose Up
CREATE TABLE notifications.messages (
    id            uuid        PRIMARY KEY,
    -- The first message under a key is the only one, for good.
    dedupe_key    text        NOT NULL CONSTRAINT messages_dedupe_key UNIQUE,
    kind          text        NOT NULL CHECK (kind IN ('CONFIRMATION', 'RECOVERY', 'PAYMENT_FAILED', 'REFUND')),
    state         text        NOT NULL CHECK (state IN ('QUEUED', 'SENDING', 'SENT', 'FAILED', 'SUPERSEDED')),
    order_id      uuid        NOT NULL,
    -- Without angle brackets; kept, so that a repeat has it even when MAIL_FROM has changed since.
    message_id    text        NOT NULL CONSTRAINT messages_message_id UNIQUE,
    created_at    timestamptz NOT NULL,
    sent_at       timestamptz,
    -- Deliveries begun.
    attempt_count integer     NOT NULL DEFAULT 0 CHECK (attempt_count >= 0),
    -- Why the last delivery failed; no personal data.
    last_error    text        NOT NULL DEFAULT '',
    -- Where it went.
    recipient     text,
    CONSTRAINT messages_dedupe_key_length CHECK (length(dedupe_key) BETWEEN 1 AND 200),
    CONSTRAINT messages_sent_at CHECK ((state = 'SENT') = (sent_at IS NOT NULL)),
    CONSTRAINT messages_recipient CHECK (recipient IS NULL OR state = 'SENT'),
    CONSTRAINT messages_failed_says_why CHECK (state <> 'FAILED' OR last_error <> ''),
    CONSTRAINT messages_begun CHECK (state NOT IN ('SENDING', 'SENT') OR attempt_count > 0)
);

CREATE INDEX messages_by_order ON notifications.messages (order_id, created_at);
