-- name: GetCursor :one
SELECT read_before FROM reconciliation.cursors WHERE name = @name;

-- name: ListCursors :many
SELECT name, read_before, moved_at FROM reconciliation.cursors;

-- name: MoveCursor :exec
-- Never back: of two that read, the one that read further counts.
INSERT INTO reconciliation.cursors AS c (name, read_before, moved_at)
VALUES (@name, @read_before, @now)
ON CONFLICT (name) DO UPDATE
SET read_before = excluded.read_before, moved_at = excluded.moved_at
WHERE c.read_before < excluded.read_before;

-- name: GetHistoryMarks :many
SELECT name, position FROM reconciliation.history_marks;

-- name: SetHistoryMark :exec
INSERT INTO reconciliation.history_marks (name, position, seen_at)
VALUES (@name, @position, @now)
ON CONFLICT (name) DO UPDATE
SET position = excluded.position, seen_at = excluded.seen_at;

-- name: GetUnfinishedPass :one
SELECT id, why, window_from, window_before, page_token, pages_read, started_at, finished_at, abandoned
FROM reconciliation.deep_passes
WHERE finished_at IS NULL;

-- name: GetFinishedPass :one
SELECT id, why, window_from, window_before, page_token, pages_read, started_at, finished_at, abandoned
FROM reconciliation.deep_passes
WHERE finished_at IS NOT NULL AND NOT abandoned
ORDER BY id DESC
LIMIT 1;

-- name: AbandonPasses :exec
UPDATE reconciliation.deep_passes
SET finished_at = @now::timestamptz, abandoned = true
WHERE finished_at IS NULL;

-- name: StartPass :one
INSERT INTO reconciliation.deep_passes (why, window_from, window_before, page_token, started_at)
VALUES (@why, @window_from, @window_before, '', @started_at)
RETURNING id, why, window_from, window_before, page_token, pages_read, started_at, finished_at, abandoned;

-- name: MovePass :execrows
-- Not when another has moved it since: then this one reads what was read.
UPDATE reconciliation.deep_passes
SET page_token = @page_token, pages_read = pages_read + 1, finished_at = sqlc.narg(finished_at)
WHERE id = @id AND finished_at IS NULL AND page_token = @was_token;
