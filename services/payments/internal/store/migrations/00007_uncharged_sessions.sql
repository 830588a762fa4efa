-- +goose Up
-- A page of Stripe's that its buyer finished without a charge has no intent, and
-- waits for a person.
ALTER TABLE payments.payments DROP CONSTRAINT payments_intent_known;
ALTER TABLE payments.payments ADD CONSTRAINT payments_intent_known CHECK (
    status IN ('CREATING', 'CANCELED') OR payment_intent_id IS NOT NULL
    OR (status IN ('REQUIRES_ACTION', 'PROCESSING') AND checkout_session_id IS NOT NULL)) NOT VALID;
ALTER TABLE payments.payments VALIDATE CONSTRAINT payments_intent_known;
