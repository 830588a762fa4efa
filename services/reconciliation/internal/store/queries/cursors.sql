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

-- name: GetListReading :one
SELECT slice_from, slice_before, read_before, page_token FROM reconciliation.list_readings WHERE name = @name;

-- name: SetListReading :exec
-- Of two that read the same list at once, either may be gone on with: both have read
-- everything before their place.
INSERT INTO reconciliation.list_readings (name, slice_from, slice_before, read_before, page_token, read_at)
VALUES (@name, @slice_from, @slice_before, @read_before, @page_token, @now)
ON CONFLICT (name) DO UPDATE
SET slice_from = excluded.slice_from, slice_before = excluded.slice_before, read_before = excluded.read_before,
    page_token = excluded.page_token, read_at = excluded.read_at;
