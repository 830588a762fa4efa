-- +goose Up
-- All columns have defaults: the previous binary keeps writing runs.
ALTER TABLE reconciliation.runs
    ADD COLUMN dry_run            boolean NOT NULL DEFAULT false,
    ADD COLUMN dispositions       jsonb   NOT NULL DEFAULT '{}',
    ADD COLUMN events_added       integer NOT NULL DEFAULT 0,
    ADD COLUMN confirmations_sent integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT runs_dispositions_are_counts CHECK (jsonb_typeof(dispositions) = 'object'),
    ADD CONSTRAINT runs_more_counts_possible CHECK (events_added >= 0 AND confirmations_sent >= 0);

-- What became of each charge on the Stripe account, as it was last seen.
CREATE TABLE reconciliation.charge_dispositions (
    charge_id              text PRIMARY KEY,
    disposition            text        NOT NULL,
    order_id               uuid,
    reason                 text        NOT NULL,
    evidence               text[]      NOT NULL,
    owner                  text        NOT NULL,
    status                 text        NOT NULL,
    captured               boolean     NOT NULL,
    payment_intent_id      text        NOT NULL,
    balance_transaction_id text        NOT NULL,
    amount_minor           bigint      NOT NULL,
    refunded_minor         bigint      NOT NULL,
    disputed_minor         bigint      NOT NULL,
    currency               text        NOT NULL,
    created_at             timestamptz NOT NULL,
    recovered_by           text        NOT NULL,
    access_at              timestamptz,
    case_kind              text        NOT NULL,
    case_summary           text        NOT NULL,
    first_seen_at          timestamptz NOT NULL,
    seen_at                timestamptz NOT NULL,
    decided_at             timestamptz NOT NULL,
    seen_by_run            bigint,
    read_again_at          timestamptz,
    CONSTRAINT charge_dispositions_kind_known CHECK (disposition IN (
        'FOREIGN', 'QUARANTINED', 'REFUNDED', 'DUPLICATE', 'RECOVERED', 'MATCHED', 'OPEN'
    )),
    CONSTRAINT charge_dispositions_status_known CHECK (status IN ('SUCCEEDED', 'PENDING')),
    CONSTRAINT charge_dispositions_access_has_an_order CHECK (disposition NOT IN ('RECOVERED', 'MATCHED', 'DUPLICATE') OR order_id IS NOT NULL),
    CONSTRAINT charge_dispositions_open_is_read_again CHECK (disposition <> 'OPEN' OR read_again_at IS NOT NULL),
    CONSTRAINT charge_dispositions_amounts_possible CHECK (amount_minor >= 0 AND refunded_minor >= 0 AND disputed_minor >= 0)
);

COMMENT ON COLUMN reconciliation.charge_dispositions.created_at IS 'when Stripe made the charge';
COMMENT ON COLUMN reconciliation.charge_dispositions.access_at IS 'when its order was completed';
COMMENT ON COLUMN reconciliation.charge_dispositions.decided_at IS 'when the disposition or its reason last changed';
COMMENT ON COLUMN reconciliation.charge_dispositions.case_kind IS 'of the case that was opened about it; empty for none';

CREATE INDEX charge_dispositions_by_time ON reconciliation.charge_dispositions (created_at, charge_id);
CREATE INDEX charge_dispositions_by_order ON reconciliation.charge_dispositions (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX charge_dispositions_to_read_again ON reconciliation.charge_dispositions (read_again_at, charge_id) WHERE read_again_at IS NOT NULL;
CREATE INDEX charge_dispositions_by_access ON reconciliation.charge_dispositions (access_at) WHERE disposition IN ('RECOVERED', 'MATCHED');
CREATE INDEX charge_dispositions_unserved ON reconciliation.charge_dispositions (created_at)
    WHERE disposition IN ('OPEN', 'QUARANTINED') AND owner = 'OURS';

-- Up to where each of Stripe's and our own lists was read without a gap.
CREATE TABLE reconciliation.cursors (
    name        text PRIMARY KEY,
    read_before timestamptz NOT NULL,
    moved_at    timestamptz NOT NULL
);

-- Reading everything again, a slice in each run. What is left of a pass that is
-- killed is in its row.
CREATE TABLE reconciliation.deep_passes (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    why           text        NOT NULL,
    window_from   timestamptz NOT NULL,
    window_before timestamptz NOT NULL,
    page_token    text        NOT NULL,
    pages_read    bigint      NOT NULL DEFAULT 0,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    abandoned     boolean     NOT NULL DEFAULT false,
    CONSTRAINT deep_passes_window_possible CHECK (window_from < window_before),
    CONSTRAINT deep_passes_abandoned_is_over CHECK (NOT abandoned OR finished_at IS NOT NULL)
);

CREATE UNIQUE INDEX deep_passes_one_unfinished ON reconciliation.deep_passes ((true)) WHERE finished_at IS NULL;

-- How far the others' histories went: shorter means restored from a backup.
CREATE TABLE reconciliation.history_marks (
    name     text PRIMARY KEY,
    position bigint NOT NULL,
    seen_at  timestamptz NOT NULL
);

-- Every movement of the Stripe balance. Stripe never changes one.
CREATE TABLE reconciliation.balance_transactions (
    id            text PRIMARY KEY,
    type          text        NOT NULL,
    source_id     text        NOT NULL,
    charge_id     text        NOT NULL,
    amount_minor  bigint      NOT NULL,
    fee_minor     bigint      NOT NULL,
    net_minor     bigint      NOT NULL,
    currency      text        NOT NULL,
    exchange_rate text        NOT NULL,
    created_at    timestamptz NOT NULL
);

CREATE INDEX balance_transactions_by_time ON reconciliation.balance_transactions (created_at);
CREATE INDEX balance_transactions_by_charge ON reconciliation.balance_transactions (charge_id) WHERE charge_id <> '';

-- Wider than before: the previous binary writes nothing that this refuses.
ALTER TABLE reconciliation.cases
    DROP CONSTRAINT cases_kind_known,
    ADD CONSTRAINT cases_kind_known CHECK (kind IN (
        'STUCK_ORDER', 'WRONG_CHARGE', 'FAILED_EVENT', 'UNDELIVERED_MESSAGE', 'DUPLICATE_CHARGE', 'UNKNOWN_PAYMENT',
        'FAILED_REFUND', 'DISPUTE', 'FRAUD_WARNING', 'STRIPE_ACCESS', 'UNIDENTIFIED_CHARGE', 'SUBSCRIPTION', 'UNCLEAR_EVENT',
        'CLAIMED_CHARGE', 'DISCREPANCY'
    ));
