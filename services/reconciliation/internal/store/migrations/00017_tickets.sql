-- +goose Up
-- What customers wrote, and what became of it. The previous binary knows none of it.
CREATE TABLE reconciliation.tickets (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Of whoever opened it: the same again is the same ticket.
    idempotency_key uuid        NOT NULL CONSTRAINT tickets_once UNIQUE,
    email           text        NOT NULL,
    -- The address as it is compared.
    address         text        NOT NULL,
    subject         text        NOT NULL,
    description     text        NOT NULL,
    category        text        NOT NULL,
    state           text        NOT NULL,
    resolution      text        NOT NULL DEFAULT '',
    resolved_by     text        NOT NULL DEFAULT '',
    opened_by       text        NOT NULL,
    opened_at       timestamptz NOT NULL,
    resolved_at     timestamptz,
    assigned_to     text        NOT NULL DEFAULT '',
    -- Found by the address; a person changes them no more than the version counts them.
    order_ids       text[]      NOT NULL DEFAULT '{}',
    charge_ids      text[]      NOT NULL DEFAULT '{}',
    version         bigint      NOT NULL DEFAULT 1,
    -- Of the last change, so that the same change again is known.
    changed_by_key  uuid,
    CONSTRAINT tickets_category_known CHECK (category IN ('BILLING', 'ACCESS', 'GENERAL')),
    CONSTRAINT tickets_state_known CHECK (state IN ('OPEN', 'IN_PROGRESS', 'RESOLVED')),
    CONSTRAINT tickets_written_by_somebody CHECK (email <> '' AND address <> '' AND subject <> '' AND opened_by <> ''),
    CONSTRAINT tickets_resolved_by_somebody CHECK (
        (state = 'RESOLVED') = (resolved_at IS NOT NULL) AND (state = 'RESOLVED') = (resolved_by <> '') AND (state = 'RESOLVED') = (resolution <> '')
    ),
    CONSTRAINT tickets_version_counts CHECK (version > 0)
);

CREATE INDEX tickets_waiting ON reconciliation.tickets (opened_at, id) WHERE state <> 'RESOLVED';
CREATE INDEX tickets_by_state ON reconciliation.tickets (state, opened_at, id);
CREATE INDEX tickets_by_address ON reconciliation.tickets (address, id);
