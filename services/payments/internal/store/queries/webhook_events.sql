-- name: BeginDelivery :one
-- Writes a delivery to the ledger and takes the event into hand for a while.
-- No row comes back when the event is finished or in another hand.
INSERT INTO payments.webhook_events AS e (
    stripe_event_id, type, livemode, api_version, object_id, status, attempt_count, customer_id, customer_email,
    payload, received_at, next_look_at, in_hand_until
) VALUES (
    @stripe_event_id, @type, @livemode, @api_version, @object_id, 'RECEIVED', 1, @customer_id, @customer_email,
    @payload, @now, sqlc.arg(in_hand_until)::timestamptz, sqlc.arg(in_hand_until)::timestamptz
)
ON CONFLICT (stripe_event_id) DO UPDATE SET
    attempt_count = e.attempt_count + 1, next_look_at = excluded.next_look_at, in_hand_until = excluded.in_hand_until
WHERE e.status IN ('RECEIVED', 'FAILED') AND (e.in_hand_until IS NULL OR e.in_hand_until <= @now)
RETURNING *;

-- name: GetEventStatus :one
SELECT status FROM payments.webhook_events WHERE stripe_event_id = $1;

-- name: KeepInHand :exec
UPDATE payments.webhook_events SET next_look_at = sqlc.arg(in_hand_until)::timestamptz, in_hand_until = sqlc.arg(in_hand_until)::timestamptz
WHERE stripe_event_id = @stripe_event_id AND status IN ('RECEIVED', 'FAILED') AND in_hand_until = sqlc.arg(until_now)::timestamptz;

-- name: FinishEvent :exec
UPDATE payments.webhook_events SET
    status = @status, resolution_method = @resolution_method, last_error = @last_error, processed_at = sqlc.arg(now)::timestamptz, next_look_at = NULL, in_hand_until = NULL, waits_for = NULL
WHERE stripe_event_id = @stripe_event_id AND status IN ('RECEIVED', 'FAILED');

-- name: FailHandling :exec
UPDATE payments.webhook_events SET status = @status, last_error = @last_error, next_look_at = sqlc.arg(next_look_at)::timestamptz, in_hand_until = NULL, waits_for = NULL
WHERE stripe_event_id = @stripe_event_id AND status IN ('RECEIVED', 'FAILED');

-- name: ClaimDueEvents :many
UPDATE payments.webhook_events SET next_look_at = sqlc.arg(in_hand_until)::timestamptz, in_hand_until = sqlc.arg(in_hand_until)::timestamptz, retry_count = retry_count + 1
WHERE stripe_event_id IN (
    SELECT w.stripe_event_id FROM payments.webhook_events w
    WHERE w.next_look_at <= sqlc.arg(now)::timestamptz
    ORDER BY w.next_look_at
    LIMIT sqlc.arg(row_limit)::int
    FOR UPDATE SKIP LOCKED
)
RETURNING *;

-- name: MakeEventsDue :execrows
UPDATE payments.webhook_events SET next_look_at = sqlc.arg(now)::timestamptz, in_hand_until = NULL
WHERE next_look_at > sqlc.arg(now)::timestamptz AND status = 'RECEIVED';
