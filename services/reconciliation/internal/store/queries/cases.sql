-- name: OpenCase :one
INSERT INTO reconciliation.cases AS c (kind, subject, state, summary, opened_at, reported_count, last_reported_at)
VALUES (@kind, @subject, 'OPEN', @summary, @now, 1, @now)
ON CONFLICT (kind, subject) WHERE state = 'OPEN' DO UPDATE
SET summary = excluded.summary, reported_count = c.reported_count + 1,
    last_reported_at = greatest(c.last_reported_at, excluded.last_reported_at)
RETURNING id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at;

-- name: ResolveCase :execrows
-- Not when it was reported again since it was read: what was found then is old.
UPDATE reconciliation.cases
SET state = 'RESOLVED', resolved_at = @now::timestamptz
WHERE id = @id AND state = 'OPEN' AND reported_count = @reported_count;

-- name: ListCases :many
SELECT id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at
FROM reconciliation.cases
WHERE (@state::text = '' OR state = @state::text)
    AND (@kind::text = '' OR kind = @kind::text)
    AND (opened_at, id) > (@after_opened_at::timestamptz, @after_id::bigint)
ORDER BY opened_at, id
LIMIT @page_size;
