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
