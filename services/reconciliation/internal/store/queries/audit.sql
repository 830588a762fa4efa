-- name: InsertAudit :execrows
-- Of two who write the same at once, one does.
INSERT INTO reconciliation.audit (at, what, idempotency_key, request_hash, actor, role, action, subjects, reason, stood, steps, error, wish)
VALUES (@at, @what, @idempotency_key, @request_hash, @actor, @role, @action, @subjects, @reason, @stood, sqlc.narg(steps), sqlc.narg(error), sqlc.narg(wish))
ON CONFLICT DO NOTHING;

-- name: ListAudited :many
-- What is final of a key: that it was asked, and that it was done.
SELECT id, at, what, idempotency_key, request_hash, actor, role, action, subjects, reason, stood, steps, error
FROM reconciliation.audit
WHERE idempotency_key = @idempotency_key AND what IN ('ASKED', 'DONE')
ORDER BY id;

-- name: ListAudit :many
-- Newest first, each wish once, with the latest that is known of it.
SELECT asked.id, asked.at, asked.idempotency_key, asked.actor, asked.role, asked.action, asked.subjects, asked.reason, asked.stood AS before,
    coalesce(ended.what, '')::text AS outcome, coalesce(ended.at, asked.at)::timestamptz AS ended_at, coalesce(ended.subjects, '{}')::text[] AS ended_subjects,
    coalesce(ended.stood, 'null')::jsonb AS after, coalesce(ended.steps, '[]')::jsonb AS steps, coalesce(ended.error, '')::text AS error
FROM reconciliation.audit AS asked
LEFT JOIN LATERAL (
    SELECT e.what, e.at, e.subjects, e.stood, e.steps, e.error
    FROM reconciliation.audit AS e
    WHERE e.idempotency_key = asked.idempotency_key AND e.what <> 'ASKED'
    ORDER BY e.what = 'DONE' DESC, e.id DESC
    LIMIT 1
) AS ended ON true
WHERE asked.what = 'ASKED' AND asked.id < @before_id
    AND (sqlc.arg(actor)::text = '' OR asked.actor = sqlc.arg(actor)::text)
    AND (sqlc.arg(subject)::text = '' OR asked.idempotency_key IN (
        SELECT about.idempotency_key FROM reconciliation.audit AS about WHERE about.subjects @> ARRAY [sqlc.arg(subject)::text]))
ORDER BY asked.id DESC
LIMIT @page_size;

-- name: ListAuditAbout :many
-- The newest that was asked and done about some subjects.
SELECT at, what, idempotency_key, actor, action, reason, error
FROM reconciliation.audit
WHERE subjects && @subjects::text[]
ORDER BY id DESC
LIMIT @page_size;

-- name: LockWish :exec
-- Of those who ask for the same at once, one after the other.
SELECT pg_advisory_xact_lock(hashtextextended(encode(@wish::bytea, 'hex'), 0));

-- name: AskedTheSame :many
-- Who has asked for the same under another key since then, unless it is known that
-- nothing came of it.
SELECT asked.id, asked.actor
FROM reconciliation.audit AS asked
LEFT JOIN LATERAL (
    SELECT e.what, e.steps
    FROM reconciliation.audit AS e
    WHERE e.idempotency_key = asked.idempotency_key AND e.what <> 'ASKED'
    ORDER BY e.what = 'DONE' DESC, e.id DESC
    LIMIT 1
) AS ended ON true
WHERE asked.what = 'ASKED' AND asked.wish = @wish AND asked.at > @since AND asked.idempotency_key <> @idempotency_key
    AND NOT (coalesce(ended.what, '') = 'FAILED' AND ended.steps = '[]')
ORDER BY asked.id
LIMIT 1;
