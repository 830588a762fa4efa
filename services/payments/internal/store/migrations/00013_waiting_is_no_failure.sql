-- +goose Up
-- Handlings that only found that the event must wait for the end of a page of
-- Stripe's: they count for nothing when it is asked whether it failed too often.
-- The previous binary counts none.
ALTER TABLE payments.webhook_events ADD COLUMN waited_count integer NOT NULL DEFAULT 0 CONSTRAINT webhook_events_waited CHECK (waited_count >= 0);
