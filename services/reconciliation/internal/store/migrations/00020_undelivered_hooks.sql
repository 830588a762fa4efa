-- +goose Up
-- Wider than before: the previous binary writes nothing that this refuses.
ALTER TABLE reconciliation.cases
    DROP CONSTRAINT cases_kind_known,
    ADD CONSTRAINT cases_kind_known CHECK (kind IN (
        'STUCK_ORDER', 'WRONG_CHARGE', 'FAILED_EVENT', 'UNDELIVERED_MESSAGE', 'DUPLICATE_CHARGE', 'UNKNOWN_PAYMENT',
        'FAILED_REFUND', 'DISPUTE', 'FRAUD_WARNING', 'STRIPE_ACCESS', 'UNIDENTIFIED_CHARGE', 'SUBSCRIPTION', 'UNCLEAR_EVENT',
        'CLAIMED_CHARGE', 'DISCREPANCY', 'UNDELIVERED_HOOK'
    ));
