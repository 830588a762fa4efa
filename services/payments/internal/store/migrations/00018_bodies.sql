-- +goose Up
-- The bodies of events that have been at rest for days, by the month in which they
-- came: a month that is over for good is dropped whole. The ledger's rows stay where
-- they are, one for each event of Stripe's. The previous binary knows nothing of it.
CREATE TABLE payments.webhook_bodies (
    received_at     timestamptz NOT NULL,
    stripe_event_id text        NOT NULL,
    body            bytea       NOT NULL,
    -- The time first: what is written goes to the index's end.
    PRIMARY KEY (received_at, stripe_event_id)
) PARTITION BY RANGE (received_at);

-- +goose StatementBegin
DO $$
BEGIN
    IF (SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression') THEN
        ALTER TABLE payments.webhook_bodies ALTER COLUMN body SET COMPRESSION lz4;
    END IF;
END $$;
-- +goose StatementEnd

-- The walk through the ledger that moves them; one row, so that of all instances one
-- walks.
CREATE TABLE payments.body_walk (
    only_row      boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    look_again_at timestamptz NOT NULL,
    -- Up to where this walk came; null at its beginning.
    at_time       timestamptz,
    at_event      text,
    -- When the last whole walk ended.
    ended_at      timestamptz,
    CONSTRAINT body_walk_place CHECK ((at_time IS NULL) = (at_event IS NULL))
);
INSERT INTO payments.body_walk (look_again_at) VALUES ('2000-01-01 00:00:00+00');

-- A service owns no table, so it cannot make or drop one: these two may, and only
-- months of bodies.
-- +goose StatementBegin
CREATE FUNCTION payments.open_body_month(at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    month timestamptz := date_trunc('month', at);
    name  text := 'webhook_bodies_' || to_char(month, 'YYYY_MM');
BEGIN
    IF to_regclass('payments.' || quote_ident(name)) IS NULL THEN
        EXECUTE format('CREATE TABLE payments.%I PARTITION OF payments.webhook_bodies FOR VALUES FROM (%L) TO (%L)', name, month, month + interval '1 month');
    END IF;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION payments.drop_body_months(before timestamptz) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'payments.webhook_bodies'::regclass
            AND to_timestamp(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= before
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE payments.%I', name);
        RETURN NEXT name;
    END LOOP;
END $$;
-- +goose StatementEnd
