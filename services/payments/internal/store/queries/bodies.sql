-- name: ClaimBodyWalk :many
UPDATE payments.body_walk SET look_again_at = sqlc.arg(lease_until)::timestamptz
WHERE look_again_at <= sqlc.arg(now)::timestamptz
RETURNING only_row;

-- name: LockBodyWalk :one
SELECT at_time, at_event FROM payments.body_walk FOR UPDATE;

-- name: BodyPage :one
-- The next page of the ledger: where it begins and ends.
SELECT count(*)::bigint AS row_count, min(p.received_at)::timestamptz AS first_at, max(p.received_at)::timestamptz AS last_at,
    (array_agg(p.stripe_event_id ORDER BY p.received_at DESC, p.stripe_event_id DESC))[1]::text AS last_event
FROM (
    SELECT e.received_at, e.stripe_event_id FROM payments.webhook_events e
    WHERE (e.received_at, e.stripe_event_id) > (sqlc.arg(after_time)::timestamptz, sqlc.arg(after_event)::text) AND e.received_at < sqlc.arg(before)::timestamptz
    ORDER BY e.received_at, e.stripe_event_id
    LIMIT sqlc.arg(row_limit)::int
) p
HAVING count(*) > 0;

-- name: OpenBodyMonth :exec
SELECT payments.open_body_month(sqlc.arg(at)::timestamptz);

-- name: DropBodyMonths :many
SELECT payments.drop_body_months(sqlc.arg(before)::timestamptz)::text AS name;

-- name: MoveBodies :execrows
-- Only of events that are at rest and need nobody. What came before the oldest month
-- that is kept goes at once. One in a hand is left to the next walk.
WITH page AS (
    SELECT e.stripe_event_id, e.received_at, e.payload FROM payments.webhook_events e
    WHERE (e.received_at, e.stripe_event_id) > (sqlc.arg(after_time)::timestamptz, sqlc.arg(after_event)::text)
        AND (e.received_at, e.stripe_event_id) <= (sqlc.arg(last_time)::timestamptz, sqlc.arg(last_event)::text)
        AND e.status IN ('PROCESSED', 'IGNORED') AND e.payload IS NOT NULL
    FOR UPDATE SKIP LOCKED
), moved AS (
    INSERT INTO payments.webhook_bodies (received_at, stripe_event_id, body)
    SELECT page.received_at, page.stripe_event_id, page.payload FROM page WHERE page.received_at >= sqlc.arg(kept_since)::timestamptz
    ON CONFLICT DO NOTHING
)
UPDATE payments.webhook_events e SET payload = NULL FROM page WHERE e.stripe_event_id = page.stripe_event_id;

-- name: PutBodyWalk :exec
UPDATE payments.body_walk SET look_again_at = @look_again_at, at_time = @at_time, at_event = @at_event, ended_at = coalesce(@ended_at, ended_at);
