-- name: ClaimDigest :many
UPDATE notifications.digest SET look_again_at = @again_at::timestamptz WHERE look_again_at <= @now::timestamptz RETURNING only_row;

-- name: GetDigest :one
SELECT covered_before FROM notifications.digest;

-- name: LockDigest :one
SELECT covered_before FROM notifications.digest FOR UPDATE;

-- name: PutDigest :exec
UPDATE notifications.digest SET covered_before = @covered_before, look_again_at = @look_again_at;

-- name: OpenIncidents :many
SELECT * FROM notifications.incidents WHERE resolved_at IS NULL ORDER BY tier, opened_at, id LIMIT 20;
