-- name: InsertMessage :one
INSERT INTO notifications.messages (id, dedupe_key, kind, state, order_id, message_id, created_at)
VALUES ($1, $2, $3, 'QUEUED', $4, $5, $6)
-- No target: id and message_id derive from the key, so they collide with it.
ON CONFLICT DO NOTHING
RETURNING *;

-- name: MessageByKey :one
SELECT * FROM notifications.messages WHERE dedupe_key = $1;

-- name: MessageByID :one
SELECT * FROM notifications.messages WHERE id = $1;

-- name: MessagesByOrder :many
SELECT * FROM notifications.messages WHERE order_id = $1 ORDER BY created_at, dedupe_key LIMIT 200;

-- name: BeginSending :execrows
-- The count is the version: of two workers that loaded the same row, one sends.
UPDATE notifications.messages SET state = 'SENDING', attempt_count = attempt_count + 1
WHERE id = @id AND state IN ('QUEUED', 'SENDING') AND attempt_count = @attempt_count;

-- name: MarkSent :execrows
UPDATE notifications.messages SET state = 'SENT', sent_at = @sent_at, recipient = @recipient, last_error = ''
WHERE id = @id AND state = 'SENDING';

-- name: MarkSuperseded :execrows
UPDATE notifications.messages SET state = 'SUPERSEDED', last_error = @reason
WHERE id = @id AND state IN ('QUEUED', 'SENDING');

-- name: MarkFailed :execrows
UPDATE notifications.messages SET state = 'FAILED', last_error = @reason
WHERE id = @id AND state IN ('QUEUED', 'SENDING');

-- name: NoteError :execrows
UPDATE notifications.messages SET last_error = @reason
WHERE id = @id AND state IN ('QUEUED', 'SENDING');
