-- name: GetUnfinishedPass :one
SELECT id, why, window_from, window_before, pages_read, started_at, finished_at
FROM reconciliation.deep_passes
WHERE finished_at IS NULL;

-- name: GetFinishedPass :one
-- Of those that reach up to now.
SELECT id, why, window_from, window_before, pages_read, started_at, finished_at
FROM reconciliation.deep_passes
WHERE finished_at IS NOT NULL AND NOT abandoned AND window_from > @beginning::timestamptz
ORDER BY id DESC
LIMIT 1;

-- name: HasReadHistory :one
SELECT EXISTS (
    SELECT FROM reconciliation.deep_passes
    WHERE finished_at IS NOT NULL AND NOT abandoned AND window_from = @beginning::timestamptz
);

-- name: AbandonPasses :exec
UPDATE reconciliation.deep_passes
SET finished_at = @now::timestamptz, abandoned = true
WHERE finished_at IS NULL;

-- name: StartPass :one
INSERT INTO reconciliation.deep_passes (why, window_from, window_before, page_token, started_at)
VALUES (@why, @window_from, @window_before, '', @started_at)
RETURNING id, why, window_from, window_before, pages_read, started_at, finished_at;

-- name: CutPass :exec
-- Once: slices that are there stay as they are.
INSERT INTO reconciliation.deep_pass_slices (pass_id, slice_from, slice_before)
SELECT @pass_id::bigint, unnest(@froms::timestamptz[]), unnest(@befores::timestamptz[])
ON CONFLICT (pass_id, slice_from) DO NOTHING;

-- name: ListSlices :many
-- The newest first.
SELECT pass_id, slice_from, slice_before, page_token
FROM reconciliation.deep_pass_slices
WHERE pass_id = @pass_id AND finished_at IS NULL
ORDER BY slice_from DESC;

-- name: CountPage :execrows
-- It also lets those who move a pass go one after the other.
UPDATE reconciliation.deep_passes
SET pages_read = pages_read + 1
WHERE id = @id AND finished_at IS NULL;

-- name: MoveSlice :execrows
-- Not when another has moved it since: then this one reads what was read.
UPDATE reconciliation.deep_pass_slices
SET page_token = @page_token, finished_at = sqlc.narg(finished_at)
WHERE pass_id = @pass_id AND slice_from = @slice_from AND finished_at IS NULL AND page_token = @was_token;

-- name: FinishPass :execrows
UPDATE reconciliation.deep_passes AS p
SET finished_at = @now::timestamptz
WHERE p.id = @id AND p.finished_at IS NULL
    AND NOT EXISTS (SELECT FROM reconciliation.deep_pass_slices AS s WHERE s.pass_id = p.id AND s.finished_at IS NULL);
