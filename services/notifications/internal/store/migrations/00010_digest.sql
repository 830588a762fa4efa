-- +goose Up
-- When the next digest is looked at, and up to when the last one went; one row, so that
-- of all instances one makes it.
CREATE TABLE notifications.digest (
    only_row       boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    look_again_at  timestamptz NOT NULL,
    -- NULL before the first look: days before that are nobody's news.
    covered_before timestamptz
);
INSERT INTO notifications.digest (look_again_at) VALUES ('2000-01-01 00:00:00+00');
