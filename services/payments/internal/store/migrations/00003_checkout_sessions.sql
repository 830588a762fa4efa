-- +goose Up
-- A payment on a page of Stripe's has a session first; its intent comes when
-- the buyer pays there.
ALTER TABLE payments.payments
    ADD COLUMN checkout_session_id text CONSTRAINT payments_session_unique UNIQUE;
ALTER TABLE payments.payments DROP CONSTRAINT payments_intent_known;
ALTER TABLE payments.payments ADD CONSTRAINT payments_intent_known CHECK (
    status IN ('CREATING', 'CANCELED') OR payment_intent_id IS NOT NULL
    OR (status = 'REQUIRES_ACTION' AND checkout_session_id IS NOT NULL)) NOT VALID;
ALTER TABLE payments.payments VALIDATE CONSTRAINT payments_intent_known;
