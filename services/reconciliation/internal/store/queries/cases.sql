-- name: InsertCase :one
-- Whoever looks after cases finds out at once who waits because of it.
INSERT INTO reconciliation.cases AS c (kind, subject, state, summary, opened_at, reported_count, last_reported_at, next_look_at)
VALUES (@kind, @subject, 'OPEN', @summary, @now, 1, @now, sqlc.arg(due))
ON CONFLICT (kind, subject) WHERE state = 'OPEN' DO NOTHING
RETURNING id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at, waiting_since,
    claimed_by, claimed_at, snoozed_until, resolved_by, resolution, told_at, next_look_at, look_count, acknowledged_by, acknowledged_at, urgent, version;

-- name: LockOpenCase :one
SELECT id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at, waiting_since,
    claimed_by, claimed_at, snoozed_until, resolved_by, resolution, told_at, next_look_at, look_count, acknowledged_by, acknowledged_at, urgent, version
FROM reconciliation.cases WHERE kind = @kind AND subject = @subject AND state = 'OPEN' FOR UPDATE;

-- name: GetOpenCase :one
SELECT id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at, waiting_since,
    claimed_by, claimed_at, snoozed_until, resolved_by, resolution, told_at, next_look_at, look_count, acknowledged_by, acknowledged_at, urgent, version
FROM reconciliation.cases WHERE kind = @kind AND subject = @subject AND state = 'OPEN';

-- name: HasCaseSince :one
-- Whether one about a subject was open at a time, or has been since.
SELECT EXISTS (
    SELECT FROM reconciliation.cases
    WHERE subject = @subject AND kind = @kind AND (state = 'OPEN' OR resolved_at >= @since::timestamptz)
);

-- name: LockCase :one
SELECT id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at, waiting_since,
    claimed_by, claimed_at, snoozed_until, resolved_by, resolution, told_at, next_look_at, look_count, acknowledged_by, acknowledged_at, urgent, version
FROM reconciliation.cases WHERE id = @id FOR UPDATE;

-- name: GetCase :one
SELECT id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at, waiting_since,
    claimed_by, claimed_at, snoozed_until, resolved_by, resolution, told_at, next_look_at, look_count, acknowledged_by, acknowledged_at, urgent, version
FROM reconciliation.cases WHERE id = @id;

-- name: ReportCase :one
UPDATE reconciliation.cases
SET summary = @summary, reported_count = reported_count + 1, last_reported_at = greatest(last_reported_at, sqlc.arg(now)::timestamptz),
    version = version + CASE WHEN sqlc.arg(news)::boolean THEN 1 ELSE 0 END,
    snoozed_until = CASE WHEN sqlc.arg(news)::boolean THEN NULL ELSE snoozed_until END,
    next_look_at = CASE WHEN sqlc.arg(news)::boolean THEN sqlc.arg(now)::timestamptz ELSE next_look_at END
WHERE id = @id
RETURNING id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at, waiting_since,
    claimed_by, claimed_at, snoozed_until, resolved_by, resolution, told_at, next_look_at, look_count, acknowledged_by, acknowledged_at, urgent, version;

-- name: UpdateCase :one
UPDATE reconciliation.cases
SET state = @state, resolved_at = @resolved_at, resolved_by = @resolved_by, resolution = @resolution,
    claimed_by = @claimed_by, claimed_at = @claimed_at, snoozed_until = @snoozed_until, waiting_since = @waiting_since,
    next_look_at = @next_look_at, urgent = @urgent, acknowledged_by = @acknowledged_by, acknowledged_at = @acknowledged_at
WHERE id = @id
RETURNING id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at, waiting_since,
    claimed_by, claimed_at, snoozed_until, resolved_by, resolution, told_at, next_look_at, look_count, acknowledged_by, acknowledged_at, urgent, version;

-- name: ClaimDueCases :many
-- The claim moves the next look forward, further each time and at most an hour.
UPDATE reconciliation.cases
SET look_count = look_count + 1, next_look_at = sqlc.arg(now)::timestamptz + least(interval '1 hour', interval '5 seconds' * power(2, least(look_count, 20)))
WHERE id IN (
    SELECT due.id
    FROM reconciliation.cases AS due
    WHERE due.next_look_at <= sqlc.arg(now)::timestamptz AND due.state = 'OPEN'
    ORDER BY due.next_look_at
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
)
RETURNING id;

-- name: ListCases :many
-- The longest wait of a customer first, then the longest open.
SELECT id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at, waiting_since,
    claimed_by, claimed_at, snoozed_until, resolved_by, resolution, told_at, next_look_at, look_count, acknowledged_by, acknowledged_at, urgent, version
FROM reconciliation.cases
WHERE (sqlc.arg(state)::text = '' OR state = sqlc.arg(state)::text)
    AND (sqlc.narg(awake_at)::timestamptz IS NULL OR snoozed_until IS NULL OR snoozed_until <= sqlc.narg(awake_at)::timestamptz)
    AND (coalesce(waiting_since, '9999-12-31 00:00:00+00'), opened_at, id)
        > (sqlc.arg(after_waiting_since)::timestamptz, sqlc.arg(after_opened_at)::timestamptz, sqlc.arg(after_id)::bigint)
ORDER BY coalesce(waiting_since, '9999-12-31 00:00:00+00'), opened_at, id
LIMIT @page_size;

-- name: ListOpenCases :many
SELECT id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at, waiting_since,
    claimed_by, claimed_at, snoozed_until, resolved_by, resolution, told_at, next_look_at, look_count, acknowledged_by, acknowledged_at, urgent, version
FROM reconciliation.cases
WHERE state = 'OPEN' AND id > @after_id
ORDER BY id
LIMIT @page_size;

-- name: InsertCaseEvent :exec
INSERT INTO reconciliation.case_events (case_id, what, actor, note, at) VALUES (@case_id, @what, @actor, @note, @at);

-- name: ListCaseEvents :many
SELECT case_id, what, actor, note, at FROM reconciliation.case_events WHERE case_id = ANY (sqlc.arg(case_ids)::bigint[]) ORDER BY id;

-- name: ListCasesAbout :many
-- The cases about some orders, charges and events: the open ones first, then the
-- newest. There are few cases, so all are read.
SELECT id, kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at, waiting_since,
    claimed_by, claimed_at, snoozed_until, resolved_by, resolution, told_at, next_look_at, look_count, acknowledged_by, acknowledged_at, urgent, version
FROM reconciliation.cases
WHERE subject = ANY (@subjects::text[]) OR substring(subject FROM '^(?:message/)?order/([0-9a-f-]{36})') = ANY (@order_ids::text[])
ORDER BY state = 'OPEN' DESC, opened_at DESC, id DESC
LIMIT @page_size;
