-- +goose Up
-- Wider than before: the previous binary writes nothing that this refuses.
ALTER TABLE notifications.messages
    DROP CONSTRAINT messages_kind_check,
    ADD CONSTRAINT messages_kind_check CHECK (kind IN (
        'CONFIRMATION', 'RECOVERY', 'PAYMENT_FAILED', 'REFUND', 'RENEWED', 'ACTION_REQUIRED', 'ACCESS_ENDING', 'ALERT',
        'STILL_WORKING', 'REFUND_OFFER', 'REPEAT_REFUSED', 'DUPLICATE_REFUNDED', 'DIGEST', 'SUPPORT_REPLY'
    )),
    DROP CONSTRAINT messages_about_an_order,
    -- A reply may be about an order, or tell that none was found.
    ADD CONSTRAINT messages_about_an_order CHECK (kind = 'SUPPORT_REPLY' OR (kind IN ('ALERT', 'DIGEST')) = (order_id IS NULL));

-- What a person on support wrote, as it was rendered then.
CREATE TABLE notifications.letters (
    message_id  uuid PRIMARY KEY REFERENCES notifications.messages (id),
    recipient   text NOT NULL CHECK (recipient <> ''),
    subject     text NOT NULL CHECK (subject <> ''),
    body        text NOT NULL CHECK (body <> ''),
    -- The Message-ID of the customer's mail, without angle brackets; empty when it is not known.
    in_reply_to text NOT NULL
);
