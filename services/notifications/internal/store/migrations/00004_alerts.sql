-- +goose Up
-- Wider than before: the previous binary writes nothing that this refuses.
ALTER TABLE notifications.messages
    ALTER COLUMN order_id DROP NOT NULL,
    DROP CONSTRAINT messages_kind_check,
    ADD CONSTRAINT messages_kind_check CHECK (kind IN (
        'CONFIRMATION', 'RECOVERY', 'PAYMENT_FAILED', 'REFUND', 'RENEWED', 'ACTION_REQUIRED', 'ACCESS_ENDING', 'ALERT'
    )),
    ADD CONSTRAINT messages_about_an_order CHECK ((kind = 'ALERT') = (order_id IS NULL));

-- What an alert says and to whom: it is about no order from which that could be read.
CREATE TABLE notifications.alerts (
    message_id uuid   PRIMARY KEY REFERENCES notifications.messages (id),
    recipient  text   NOT NULL,
    title      text   NOT NULL CHECK (title <> ''),
    lines      text[] NOT NULL
);

-- How long reconciliation has been watched and when it was last seen to work; one
-- row, so that all instances look once a period and tell once.
CREATE TABLE notifications.watch (
    only_row      boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    look_again_at timestamptz NOT NULL,
    looked_at     timestamptz,
    watched_since timestamptz,
    worked_at     timestamptz,
    -- Set while the team has been told that it stopped.
    stopped_since timestamptz
);
INSERT INTO notifications.watch (look_again_at) VALUES ('2000-01-01 00:00:00+00');
