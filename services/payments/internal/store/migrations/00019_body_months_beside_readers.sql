-- +goose Up
-- CREATE TABLE … PARTITION OF waits for everybody who reads the bodies, a backup too,
-- and everybody who comes later waits behind it, who handles events too. A table that
-- is made by itself and attached waits for no reader.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION payments.open_body_month(at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    month timestamptz := date_trunc('month', at);
    name  text := 'webhook_bodies_' || to_char(month, 'YYYY_MM');
BEGIN
    IF to_regclass('payments.' || quote_ident(name)) IS NULL THEN
        EXECUTE format('CREATE TABLE payments.%I (LIKE payments.webhook_bodies INCLUDING ALL)', name);
        EXECUTE format('ALTER TABLE payments.webhook_bodies ATTACH PARTITION payments.%I FOR VALUES FROM (%L) TO (%L)', name, month, month + interval '1 month');
    END IF;
END $$;
-- +goose StatementEnd
-- Dropping waits for all readers, so not for long: a minute later it is tried again.
ALTER FUNCTION payments.drop_body_months(timestamptz) SET lock_timeout = '200ms';
