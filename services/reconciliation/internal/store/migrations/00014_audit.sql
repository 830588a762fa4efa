-- +goose Up
-- Who did what at the desk, when and why; append only. A row ASKED is committed
-- before the effect, and DONE or FAILED when it is known what came of it.
CREATE TABLE reconciliation.audit (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL,
    what            text        NOT NULL,
    idempotency_key uuid        NOT NULL,
    -- Of the whole request: the same key asks the same.
    request_hash    bytea       NOT NULL,
    actor           text        NOT NULL,
    role            text        NOT NULL,
    action          text        NOT NULL,
    -- What it is about, the first as the person named it.
    subjects        text[]      NOT NULL,
    reason          text        NOT NULL,
    -- How it stood, before on ASKED and after on the others.
    stood           jsonb       NOT NULL,
    steps           jsonb,
    error           text,
    CONSTRAINT audit_what_known CHECK (what IN ('ASKED', 'DONE', 'FAILED')),
    CONSTRAINT audit_actor_named CHECK (actor <> ''),
    CONSTRAINT audit_hash_sha256 CHECK (octet_length(request_hash) = 32),
    CONSTRAINT audit_about_something CHECK (cardinality(subjects) > 0),
    CONSTRAINT audit_steps_when_ended CHECK ((what = 'ASKED') = (steps IS NULL)),
    CONSTRAINT audit_error_when_failed CHECK ((what = 'FAILED') = (error IS NOT NULL))
);

CREATE UNIQUE INDEX audit_one_asked ON reconciliation.audit (idempotency_key) WHERE what = 'ASKED';
CREATE UNIQUE INDEX audit_one_done ON reconciliation.audit (idempotency_key) WHERE what = 'DONE';
CREATE INDEX audit_by_key ON reconciliation.audit (idempotency_key, id);
CREATE INDEX audit_asked ON reconciliation.audit (id) WHERE what = 'ASKED';
CREATE INDEX audit_by_actor ON reconciliation.audit (actor, id) WHERE what = 'ASKED';
CREATE INDEX audit_by_subject ON reconciliation.audit USING gin (subjects);

-- Somebody has seen it. Wider than before: the previous binary writes nothing that
-- this refuses.
ALTER TABLE reconciliation.cases
    ADD COLUMN acknowledged_by text,
    ADD COLUMN acknowledged_at timestamptz,
    ADD CONSTRAINT cases_acknowledged_by_at CHECK ((acknowledged_by IS NULL) = (acknowledged_at IS NULL));

ALTER TABLE reconciliation.case_events
    DROP CONSTRAINT case_events_what_known,
    ADD CONSTRAINT case_events_what_known CHECK (what IN ('opened', 'reported', 'claimed', 'handed over', 'acknowledged', 'snoozed', 'woken', 'resolved'));
