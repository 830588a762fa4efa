-- +goose Up
CREATE TABLE reconciliation.runs (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at        timestamptz NOT NULL,
    finished_at       timestamptz,
    status            text NOT NULL,
    lease_until       timestamptz,
    stuck_found       integer NOT NULL DEFAULT 0,
    stuck_recovered   integer NOT NULL DEFAULT 0,
    charges_checked   integer NOT NULL DEFAULT 0,
    orphans_found     integer NOT NULL DEFAULT 0,
    orphans_recovered integer NOT NULL DEFAULT 0,
    errors            integer NOT NULL DEFAULT 0,
    details           jsonb NOT NULL DEFAULT '[]',
    CONSTRAINT runs_status_known CHECK (status IN ('RUNNING', 'SUCCEEDED', 'FAILED')),
    CONSTRAINT runs_finished_when_not_running CHECK ((status = 'RUNNING') = (finished_at IS NULL)),
    CONSTRAINT runs_leased_while_running CHECK ((status = 'RUNNING') = (lease_until IS NOT NULL)),
    CONSTRAINT runs_counts_possible CHECK (
        stuck_recovered BETWEEN 0 AND stuck_found
        AND orphans_recovered BETWEEN 0 AND orphans_found
        AND charges_checked >= 0 AND errors >= 0
    ),
    CONSTRAINT runs_details_are_lines CHECK (jsonb_typeof(details) = 'array')
);

COMMENT ON COLUMN reconciliation.runs.lease_until IS 'pushed forward while the run works; past it, the process is taken for dead';

-- A second run would only ask the same questions.
CREATE UNIQUE INDEX runs_one_running ON reconciliation.runs ((true)) WHERE status = 'RUNNING';

CREATE TABLE reconciliation.cases (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind             text NOT NULL,
    subject          text NOT NULL,
    state            text NOT NULL,
    summary          text NOT NULL,
    opened_at        timestamptz NOT NULL,
    resolved_at      timestamptz,
    reported_count   integer NOT NULL,
    last_reported_at timestamptz NOT NULL,
    CONSTRAINT cases_kind_known CHECK (kind IN (
        'STUCK_ORDER', 'WRONG_CHARGE', 'FAILED_EVENT', 'UNDELIVERED_MESSAGE', 'DUPLICATE_CHARGE', 'UNKNOWN_PAYMENT', 'FAILED_REFUND', 'DISPUTE', 'FRAUD_WARNING', 'STRIPE_ACCESS', 'UNIDENTIFIED_CHARGE'
    )),
    CONSTRAINT cases_state_known CHECK (state IN ('OPEN', 'RESOLVED')),
    CONSTRAINT cases_resolved_at_when_resolved CHECK ((state = 'RESOLVED') = (resolved_at IS NOT NULL)),
    CONSTRAINT cases_reported CHECK (reported_count > 0 AND last_reported_at >= opened_at)
);

CREATE UNIQUE INDEX cases_one_open_per_subject ON reconciliation.cases (kind, subject) WHERE state = 'OPEN';
CREATE INDEX cases_by_age ON reconciliation.cases (opened_at, id);

-- What is due periodically; claiming a row pushes its next look forward.
CREATE TABLE reconciliation.sweeps (
    name         text PRIMARY KEY,
    next_look_at timestamptz NOT NULL
);

INSERT INTO reconciliation.sweeps (name, next_look_at) VALUES ('stuck-orders', '2000-01-01 00:00:00+00');
