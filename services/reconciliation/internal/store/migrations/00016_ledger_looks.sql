-- +goose Up
-- When how Stripe's events arrive is next told to Notifications.
ALTER TABLE reconciliation.incident_looks ADD COLUMN ledger_look_again_at timestamptz NOT NULL DEFAULT '2000-01-01 00:00:00+00';
