-- +goose Up
-- Wider than before: the previous binary writes nothing that this refuses.
ALTER TABLE reconciliation.cases
    ADD COLUMN waiting_since timestamptz,
    ADD COLUMN claimed_by    text,
    ADD COLUMN claimed_at    timestamptz,
    ADD COLUMN snoozed_until timestamptz,
    ADD COLUMN resolved_by   text,
    ADD COLUMN resolution    text,
    ADD COLUMN told_at       timestamptz,
    ADD COLUMN next_look_at  timestamptz,
    ADD COLUMN look_count    integer NOT NULL DEFAULT 0,
    DROP CONSTRAINT cases_kind_known,
    ADD CONSTRAINT cases_kind_known CHECK (kind IN (
        'STUCK_ORDER', 'WRONG_CHARGE', 'FAILED_EVENT', 'UNDELIVERED_MESSAGE', 'DUPLICATE_CHARGE', 'UNKNOWN_PAYMENT',
        'FAILED_REFUND', 'DISPUTE', 'FRAUD_WARNING', 'STRIPE_ACCESS', 'UNIDENTIFIED_CHARGE', 'SUBSCRIPTION', 'UNCLEAR_EVENT',
        'CLAIMED_CHARGE', 'DISCREPANCY'
    )),
    ADD CONSTRAINT cases_claimed_by_at CHECK ((claimed_by IS NULL) = (claimed_at IS NULL)),
    ADD CONSTRAINT cases_resolved_by_when_resolved CHECK (state = 'RESOLVED' OR (resolved_by IS NULL AND resolution IS NULL));

COMMENT ON COLUMN reconciliation.cases.waiting_since IS 'since when a customer waits because of it';
COMMENT ON COLUMN reconciliation.cases.told_at IS 'when Notifications took on telling the team';
COMMENT ON COLUMN reconciliation.cases.next_look_at IS 'when the team is to be told, or the case woken';

CREATE INDEX cases_due ON reconciliation.cases (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE INDEX cases_open ON reconciliation.cases (id) WHERE state = 'OPEN';

-- What was said and done about each case; append only.
CREATE TABLE reconciliation.case_events (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id bigint      NOT NULL REFERENCES reconciliation.cases (id),
    what    text        NOT NULL,
    actor   text        NOT NULL,
    note    text        NOT NULL,
    at      timestamptz NOT NULL,
    CONSTRAINT case_events_what_known CHECK (what IN ('opened', 'reported', 'claimed', 'handed over', 'snoozed', 'woken', 'resolved')),
    CONSTRAINT case_events_actor_named CHECK (actor <> '')
);

CREATE INDEX case_events_by_case ON reconciliation.case_events (case_id, id);
