-- +goose Up
-- Where the reading of a long list is between two moves of its cursor, so that what
-- was read of a slice is not read again. The previous binary reads it again.
CREATE TABLE reconciliation.list_readings (
    name         text PRIMARY KEY,
    slice_from   timestamptz NOT NULL,
    slice_before timestamptz NOT NULL,
    read_before  timestamptz NOT NULL,
    page_token   text        NOT NULL,
    read_at      timestamptz NOT NULL,
    CONSTRAINT list_readings_possible CHECK (slice_from < slice_before AND read_before <= slice_before)
);

COMMENT ON COLUMN reconciliation.list_readings.read_before IS 'where the cursor moves when the slice is read to its end: never past the time when its reading began';
