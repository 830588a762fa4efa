-- +goose Up
-- A deep pass is read in slices of its window, several at once, and each is gone on
-- with where it was. The previous binary reads a pass as one: that is only slower.
CREATE TABLE reconciliation.deep_pass_slices (
    pass_id      bigint      NOT NULL REFERENCES reconciliation.deep_passes (id),
    slice_from   timestamptz NOT NULL,
    slice_before timestamptz NOT NULL,
    page_token   text        NOT NULL DEFAULT '',
    finished_at  timestamptz,
    PRIMARY KEY (pass_id, slice_from),
    CONSTRAINT deep_pass_slices_possible CHECK (slice_from < slice_before)
);
