-- +goose NO TRANSACTION
-- +goose Up
-- The address by which an orphaned event may yet be found to be for one buyer, once
-- they have proven it, and when that is asked next. The previous binary writes neither.
-- Each statement may be run again; the ledger is large, and is written while this runs.
ALTER TABLE payments.webhook_events
    ADD COLUMN IF NOT EXISTS awaits_address text,
    ADD COLUMN IF NOT EXISTS address_look_at timestamptz,
    DROP CONSTRAINT IF EXISTS webhook_events_awaits_address;
ALTER TABLE payments.webhook_events ADD CONSTRAINT webhook_events_awaits_address
    CHECK ((awaits_address IS NULL) = (address_look_at IS NULL) AND awaits_address <> '') NOT VALID;
ALTER TABLE payments.webhook_events VALIDATE CONSTRAINT webhook_events_awaits_address;
DROP INDEX CONCURRENTLY IF EXISTS payments.webhook_events_address_due;
CREATE INDEX CONCURRENTLY webhook_events_address_due ON payments.webhook_events (address_look_at) WHERE status = 'ORPHANED' AND address_look_at IS NOT NULL;
