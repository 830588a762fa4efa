-- +goose Up
-- What a wish comes to, as a hash, where the same wish under two keys would happen
-- twice: of two people, or of one person in two windows. The previous binary leaves it
-- out, and is not asked about it.
ALTER TABLE reconciliation.audit
    ADD COLUMN wish bytea,
    ADD CONSTRAINT audit_wish_sha256 CHECK (octet_length(wish) = 32),
    ADD CONSTRAINT audit_wish_when_asked CHECK (wish IS NULL OR what = 'ASKED');

CREATE INDEX audit_by_wish ON reconciliation.audit (wish, at) WHERE wish IS NOT NULL;
