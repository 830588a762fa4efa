-- name: NoteServerFailure :one
-- Failures that lie too far apart are not one trouble. Clocks of instances
-- differ a little, hence GREATEST.
INSERT INTO notifications.mail_server AS m (failing_since, failed_at) VALUES (@at, @at)
ON CONFLICT (only_row) DO UPDATE SET
    failing_since = CASE WHEN m.failed_at < @apart_before::timestamptz THEN EXCLUDED.failing_since ELSE m.failing_since END,
    failed_at = GREATEST(m.failed_at, EXCLUDED.failed_at)
RETURNING failing_since;

-- name: NoteServerAnswer :exec
DELETE FROM notifications.mail_server;
