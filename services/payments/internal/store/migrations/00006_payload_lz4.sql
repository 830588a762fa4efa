-- +goose Up
-- The signed bytes are written once and seldom read: lz4 takes a fraction of
-- the time of the default. A server that was built without it keeps the default.
-- +goose StatementBegin
DO $$
BEGIN
    IF (SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression') THEN
        ALTER TABLE payments.webhook_events ALTER COLUMN payload SET COMPRESSION lz4;
    END IF;
END $$;
-- +goose StatementEnd
