-- +goose Up
-- Wider than before: the previous binary writes nothing that this refuses.
ALTER TABLE notifications.messages
    DROP CONSTRAINT messages_kind_check,
    ADD CONSTRAINT messages_kind_check CHECK (kind IN (
        'CONFIRMATION', 'RECOVERY', 'PAYMENT_FAILED', 'REFUND', 'RENEWED', 'ACTION_REQUIRED', 'ACCESS_ENDING', 'ALERT',
        'STILL_WORKING', 'REFUND_OFFER', 'REPEAT_REFUSED', 'DUPLICATE_REFUNDED'
    ));
