-- +goose Up
-- One row while the mail server cannot be used, none while it can. It is about
-- all messages, so it is not told from any one of them.
CREATE TABLE notifications.mail_server (
    only_row      boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    failing_since timestamptz NOT NULL,
    failed_at     timestamptz NOT NULL,
    CONSTRAINT mail_server_times CHECK (failing_since <= failed_at)
);
