-- name: InsertLetter :exec
INSERT INTO notifications.letters (message_id, recipient, subject, body, in_reply_to) VALUES ($1, $2, $3, $4, $5);

-- name: LetterOf :one
SELECT recipient, subject, body, in_reply_to FROM notifications.letters WHERE message_id = $1;

-- name: RepliesTo :many
SELECT * FROM notifications.messages
WHERE order_id IS NULL AND id IN (SELECT l.message_id FROM notifications.letters AS l WHERE lower(btrim(l.recipient)) = lower(btrim(@address::text)))
ORDER BY created_at DESC LIMIT 50;
