-- name: LockEvent :one
SELECT status, livemode, customer_id, in_hand_until, (payload IS NOT NULL OR EXISTS (SELECT FROM payments.webhook_bodies b WHERE b.received_at = webhook_events.received_at AND b.stripe_event_id = webhook_events.stripe_event_id))::bool AS has_body FROM payments.webhook_events WHERE webhook_events.stripe_event_id = $1 FOR UPDATE;

-- name: TakeEvent :one
-- Takes an event into hand whatever became of it, unless it has effects or is in
-- another hand.
UPDATE payments.webhook_events SET
    status = 'RECEIVED', processed_at = NULL, waits_for = NULL, payload = coalesce(payload, (SELECT b.body FROM payments.webhook_bodies b WHERE b.received_at = webhook_events.received_at AND b.stripe_event_id = webhook_events.stripe_event_id)), retry_count = retry_count + 1,
    next_look_at = sqlc.arg(in_hand_until)::timestamptz, in_hand_until = sqlc.arg(in_hand_until)::timestamptz
WHERE webhook_events.stripe_event_id = @stripe_event_id AND status <> 'PROCESSED' AND (payload IS NOT NULL OR EXISTS (SELECT FROM payments.webhook_bodies b WHERE b.received_at = webhook_events.received_at AND b.stripe_event_id = webhook_events.stripe_event_id)) AND (in_hand_until IS NULL OR in_hand_until <= sqlc.arg(now)::timestamptz)
RETURNING *;

-- name: MakeEventDue :exec
UPDATE payments.webhook_events SET
    status = 'RECEIVED', processed_at = NULL, waits_for = NULL, payload = coalesce(payload, (SELECT b.body FROM payments.webhook_bodies b WHERE b.received_at = webhook_events.received_at AND b.stripe_event_id = webhook_events.stripe_event_id)), next_look_at = sqlc.arg(now)::timestamptz, in_hand_until = NULL
WHERE webhook_events.stripe_event_id = @stripe_event_id AND status <> 'PROCESSED' AND (payload IS NOT NULL OR EXISTS (SELECT FROM payments.webhook_bodies b WHERE b.received_at = webhook_events.received_at AND b.stripe_event_id = webhook_events.stripe_event_id)) AND (in_hand_until IS NULL OR in_hand_until <= sqlc.arg(now)::timestamptz);

-- name: IgnoreEvent :exec
UPDATE payments.webhook_events SET
    status = 'IGNORED', last_error = 'ignored by a person', processed_at = sqlc.arg(now)::timestamptz,
    next_look_at = NULL, in_hand_until = NULL, waits_for = NULL
WHERE stripe_event_id = @stripe_event_id AND status IN ('ORPHANED', 'FAILED', 'QUARANTINED');

-- name: InsertEventAction :exec
INSERT INTO payments.event_actions (stripe_event_id, action, actor, reason, order_id, account_id, at)
VALUES (@stripe_event_id, @action, @actor, @reason, @order_id, @account_id, @at);

-- name: InsertCustomerLink :exec
INSERT INTO payments.customer_links (customer_id, order_id, account_id, email_key, stripe_event_id, actor, reason, linked_at)
VALUES (@customer_id, @order_id, @account_id, @email_key, @stripe_event_id, @actor, @reason, @linked_at)
ON CONFLICT (customer_id) DO NOTHING;

-- name: CountResolutionMethods :many
SELECT coalesce(resolution_method, '')::text AS resolution_method, status, count(*) AS event_count
FROM payments.webhook_events
WHERE received_at >= sqlc.arg(since)::timestamptz
GROUP BY 1, 2
ORDER BY 3 DESC, 1, 2;

-- name: GetLedgerHealth :one
-- At most the newest events are looked at, and those that are not finished.
SELECT
    (SELECT count(*) FROM (
        SELECT status FROM payments.webhook_events WHERE received_at > sqlc.arg(since)::timestamptz
        ORDER BY received_at DESC, stripe_event_id DESC LIMIT 20000
    ) AS e WHERE status <> 'QUARANTINED')::bigint AS last_hour_events,
    (SELECT count(*) FROM (
        SELECT status FROM payments.webhook_events WHERE received_at > sqlc.arg(since)::timestamptz
        ORDER BY received_at DESC, stripe_event_id DESC LIMIT 20000
    ) AS e WHERE status = 'ORPHANED')::bigint AS last_hour_orphaned,
    (SELECT count(*) FROM payments.webhook_events
        WHERE next_look_at IS NOT NULL AND status = 'RECEIVED' AND attempt_count + retry_count - waited_count > 3)::bigint AS struggling_events;

-- name: GetLastDelivery :many
SELECT received_at FROM (
    SELECT received_at, attempt_count FROM payments.webhook_events ORDER BY received_at DESC, stripe_event_id DESC LIMIT 20000
) AS e
WHERE attempt_count > 0
ORDER BY received_at DESC
LIMIT 1;

-- name: GetStrugglingSince :many
SELECT received_at FROM payments.webhook_events
WHERE next_look_at IS NOT NULL AND status = 'RECEIVED' AND attempt_count + retry_count - waited_count > 3
ORDER BY received_at
LIMIT 1;
