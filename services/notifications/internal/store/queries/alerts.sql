-- name: InsertAlert :exec
INSERT INTO notifications.alerts (message_id, recipient, title, lines, incident_id, news, closes, in_reply_to)
VALUES (@message_id, @recipient, @title, @lines, @incident_id, @news, @closes, @in_reply_to);

-- name: AlertOf :one
SELECT recipient, title, lines, incident_id, news, closes, in_reply_to FROM notifications.alerts WHERE message_id = @message_id;

-- name: MessagesByKeys :many
SELECT * FROM notifications.messages WHERE dedupe_key = ANY (@dedupe_keys::text[]);

-- name: ServerFailingSince :many
SELECT failing_since FROM notifications.mail_server;

-- name: ClaimWatch :many
-- A look further away than one pause was set when the pause was longer.
UPDATE notifications.watch SET look_again_at = @next::timestamptz
WHERE look_again_at <= @now::timestamptz OR look_again_at > @next::timestamptz
RETURNING only_row;

-- name: LockWatch :one
SELECT looked_at, watched_since, worked_at, stopped_since,
    success_looked_at, success_watched_since, succeeded_at, failing_since
FROM notifications.watch FOR UPDATE;

-- name: PutWatch :exec
UPDATE notifications.watch SET looked_at = @looked_at, watched_since = @watched_since, worked_at = @worked_at, stopped_since = @stopped_since,
    success_looked_at = @success_looked_at, success_watched_since = @success_watched_since, succeeded_at = @succeeded_at,
    failing_since = @failing_since;
