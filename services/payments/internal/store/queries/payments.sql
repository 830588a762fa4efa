-- name: InsertCustomer :exec
INSERT INTO payments.customers (email_key, first_order_id, email, name, tried_at)
VALUES (@email_key, @first_order_id, @email, @name, @now)
ON CONFLICT (email_key) DO NOTHING;

-- name: GetCustomer :one
SELECT * FROM payments.customers WHERE email_key = $1;

-- name: SetCustomerID :exec
UPDATE payments.customers SET customer_id = sqlc.arg(customer_id)::text WHERE email_key = sqlc.arg(email_key)::text AND customer_id IS NULL;

-- name: NextCustomerTry :exec
UPDATE payments.customers SET create_try = create_try + 1, tried_at = sqlc.arg(now)::timestamptz
WHERE email_key = sqlc.arg(email_key)::text AND customer_id IS NULL AND create_try = sqlc.arg(was)::int;

-- name: InsertPayment :exec
INSERT INTO payments.payments (
    id, order_id, seq, reference, plan_id, description, account_id, email_key, amount_minor, currency,
    renews_months, renews_order_id, status, created_at, updated_at, trace_parent
) VALUES (
    @id, @order_id, @seq, @reference, @plan_id, @description, @account_id, @email_key, @amount_minor, @currency,
    @renews_months, @renews_order_id, 'CREATING', @now, @now, @trace_parent
);

-- name: LastPayment :one
SELECT * FROM payments.payments WHERE order_id = $1 ORDER BY seq DESC LIMIT 1;

-- name: LockLastPayment :one
SELECT * FROM payments.payments WHERE order_id = $1 ORDER BY seq DESC LIMIT 1 FOR UPDATE;

-- name: LockPayment :one
SELECT * FROM payments.payments WHERE id = $1 FOR UPDATE;

-- name: PaymentByIntent :one
SELECT * FROM payments.payments WHERE payment_intent_id = sqlc.arg(payment_intent_id)::text;

-- name: SaveIntent :execrows
-- Only a payment that still wants to be charged takes an intent: an open
-- attempt, and no intent yet.
UPDATE payments.payments p SET
    payment_intent_id = sqlc.arg(payment_intent_id)::text, client_secret = sqlc.arg(client_secret)::text,
    customer_id = sqlc.arg(customer_id)::text, status = 'REQUIRES_PAYMENT_METHOD', updated_at = sqlc.arg(now)::timestamptz
WHERE p.id = sqlc.arg(id)::uuid AND p.payment_intent_id IS NULL AND p.status = 'CREATING'
  AND EXISTS (SELECT 1 FROM payments.attempts a WHERE a.payment_id = p.id AND a.next_look_at IS NOT NULL);

-- name: NextCreateTry :exec
UPDATE payments.payments SET create_try = create_try + 1 WHERE id = $1 AND payment_intent_id IS NULL AND create_try = sqlc.arg(was)::int;

-- name: UpdatePayment :exec
UPDATE payments.payments SET
    status = @status, client_secret = @client_secret, redirect_url = @redirect_url, customer_id = @customer_id,
    payment_intent_id = @payment_intent_id, checkout_session_id = @checkout_session_id,
    subscription_id = @subscription_id, invoice_id = @invoice_id, term_start = @term_start, term_end = @term_end,
    asked_minor = @asked_minor, charge_id = @charge_id, received_minor = @received_minor, received_currency = @received_currency, charged_at = @charged_at,
    decline_code = @decline_code, decline_message = @decline_message, updated_at = @updated_at
WHERE id = @id;

-- name: InsertAttempt :exec
-- The payment is locked, so that no two attempts get one number.
INSERT INTO payments.attempts (id, payment_id, order_id, seq, payment_method, status, created_at, next_look_at)
VALUES (
    @id, @payment_id, @order_id, (SELECT coalesce(max(a.seq), 0) + 1 FROM payments.attempts a WHERE a.payment_id = @payment_id),
    @payment_method, 'OPEN', @now, sqlc.arg(next_look_at)::timestamptz
);

-- name: GetAttempt :one
SELECT * FROM payments.attempts WHERE id = $1 AND order_id = $2;

-- name: ListAttempts :many
SELECT * FROM payments.attempts WHERE payment_id = $1 ORDER BY seq;

-- name: UpdateAttempt :exec
UPDATE payments.attempts SET
    status = @status, payment_method = @payment_method, failed_charge = @failed_charge,
    decided_at = @decided_at, next_look_at = @next_look_at
WHERE id = @id;

-- name: ClaimDueAttempts :many
UPDATE payments.attempts SET
    next_look_at = sqlc.arg(now)::timestamptz + least(interval '1 hour', sqlc.arg(first_delay)::interval * power(2, least(look_count, 20))),
    look_count = look_count + 1,
    last_look_at = sqlc.arg(now)::timestamptz
WHERE id IN (
    SELECT a.id FROM payments.attempts a
    WHERE a.next_look_at <= sqlc.arg(now)::timestamptz
    ORDER BY a.next_look_at
    LIMIT sqlc.arg(row_limit)::int
    FOR UPDATE SKIP LOCKED
)
RETURNING *;

-- name: MakeAttemptsDue :execrows
UPDATE payments.attempts SET next_look_at = sqlc.arg(now)::timestamptz
WHERE next_look_at > sqlc.arg(now)::timestamptz AND status = 'OPEN';

-- name: SetAdoptedBy :exec
UPDATE payments.payments SET adopted_by = sqlc.arg(adopted_by)::text WHERE id = @id;
