-- name: InsertRefund :exec
INSERT INTO payments.refunds (id, payment_id, order_id, charge_id, amount_minor, currency, status, reason, actor, tried_at, created_at, updated_at, next_look_at)
VALUES (@id, @payment_id, @order_id, @charge_id, @amount_minor, @currency, 'REQUESTED', @reason, @actor, @now, @now, @now, sqlc.arg(next_look_at)::timestamptz);

-- name: GetRefund :one
SELECT * FROM payments.refunds WHERE id = $1;

-- name: ListRefunds :many
SELECT * FROM payments.refunds WHERE order_id = $1 ORDER BY created_at, id;

-- name: UpsertStripeRefund :exec
-- A refund as Stripe shows it; one made at Stripe itself is written here first.
INSERT INTO payments.refunds (id, payment_id, order_id, charge_id, stripe_refund_id, amount_minor, currency, status, reason, actor, tried_at, created_at, updated_at, next_look_at)
VALUES (@id, @payment_id, @order_id, @charge_id, sqlc.arg(stripe_refund_id)::text, @amount_minor, @currency, @status, @reason, @actor, @created_at, @created_at, @now, @next_look_at)
ON CONFLICT (id) DO UPDATE SET
    stripe_refund_id = excluded.stripe_refund_id, status = excluded.status, updated_at = excluded.updated_at, next_look_at = excluded.next_look_at;

-- name: NextRefundTry :exec
UPDATE payments.refunds SET create_try = create_try + 1, tried_at = sqlc.arg(now)::timestamptz, updated_at = sqlc.arg(now)::timestamptz
WHERE id = sqlc.arg(id)::uuid AND status = 'REQUESTED' AND create_try = sqlc.arg(was)::int;

-- name: RefuseRefund :exec
UPDATE payments.refunds SET status = 'FAILED', updated_at = sqlc.arg(now)::timestamptz, next_look_at = NULL
WHERE id = sqlc.arg(id)::uuid AND status = 'REQUESTED';

-- name: UpdateCharge :execrows
UPDATE payments.payments SET refunded_minor = @refunded_minor, dispute = @dispute, charge_read_at = sqlc.arg(read_at)::timestamptz, updated_at = sqlc.arg(now)::timestamptz
WHERE id = @id AND (charge_read_at IS NULL OR charge_read_at <= sqlc.arg(read_at)::timestamptz);

-- name: PaymentByCharge :one
SELECT * FROM payments.payments WHERE charge_id = sqlc.arg(charge_id)::text;

-- name: ClaimDueRefunds :many
UPDATE payments.refunds SET
    next_look_at = sqlc.arg(now)::timestamptz + least(interval '1 hour', sqlc.arg(first_delay)::interval * power(2, least(look_count, 20))),
    look_count = look_count + 1
WHERE id IN (
    SELECT r.id FROM payments.refunds r
    WHERE r.next_look_at <= sqlc.arg(now)::timestamptz
    ORDER BY r.next_look_at
    LIMIT sqlc.arg(row_limit)::int
    FOR UPDATE SKIP LOCKED
)
RETURNING *;
