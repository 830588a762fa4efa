-- name: InsertLetter :exec
INSERT INTO notifications.letters (message_id, recipient, subject, body, in_reply_to) VALUES ($1, $2, $3, $4, $5);

-- name: LetterOf :one
SELECT recipient, subject, body, in_reply_to FROM notifications.letters WHERE message_id = $1;
