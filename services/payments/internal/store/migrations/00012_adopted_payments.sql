-- +goose Up
-- Who named the buyer and the plan of a charge that did not say so itself. Such a
-- payment's charge may be older than payment intents. The previous binary writes
-- nothing that this refuses.
ALTER TABLE payments.payments
    ADD COLUMN adopted_by text CONSTRAINT payments_adopted_by_named CHECK (adopted_by <> ''),
    DROP CONSTRAINT payments_intent_known;
ALTER TABLE payments.payments
    ADD CONSTRAINT payments_intent_known CHECK (
        status IN ('CREATING', 'CANCELED') OR payment_intent_id IS NOT NULL
        OR (status IN ('REQUIRES_ACTION', 'PROCESSING') AND checkout_session_id IS NOT NULL)
        OR (status = 'SUCCEEDED' AND (received_minor = 0 OR adopted_by IS NOT NULL))) NOT VALID;
ALTER TABLE payments.payments VALIDATE CONSTRAINT payments_intent_known;
