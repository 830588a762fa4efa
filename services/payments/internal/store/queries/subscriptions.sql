-- name: GetSubscription :one
SELECT * FROM payments.subscriptions WHERE subscription_id = $1;

-- name: SubscriptionsOfCustomer :many
SELECT subscription_id FROM payments.subscriptions WHERE customer_id = $1 ORDER BY subscription_id;

-- name: BeginSubscription :exec
INSERT INTO payments.subscriptions (subscription_id, order_id, customer_id, status, renews, period_start, period_end, next_look_at)
VALUES (@subscription_id, @order_id, @customer_id, 'ACTIVE', true, @period_start, @period_end, sqlc.arg(next_look_at)::timestamptz)
ON CONFLICT (subscription_id) DO NOTHING;

-- name: HurrySubscription :exec
-- A term was recorded that Orders has not acknowledged.
UPDATE payments.subscriptions SET next_look_at = least(next_look_at, sqlc.arg(soon)::timestamptz) WHERE subscription_id = @subscription_id;

-- name: SaveSubscription :execrows
-- The answer to an older question never overwrites a newer one. It is looked at
-- soon unless it is put to rest, which happens when Orders has it.
UPDATE payments.subscriptions SET
    status = @status, renews = @renews, period_start = @period_start, period_end = @period_end,
    observed_at = sqlc.arg(observed_at)::timestamptz, next_look_at = least(next_look_at, sqlc.arg(soon)::timestamptz)
WHERE subscription_id = @subscription_id AND (observed_at IS NULL OR observed_at <= sqlc.arg(observed_at)::timestamptz);

-- name: RestSubscription :exec
UPDATE payments.subscriptions SET next_look_at = @next_look_at, settled_until = @settled_until, look_count = 0
WHERE subscription_id = @subscription_id AND observed_at = sqlc.arg(observed_at)::timestamptz;

-- name: ReportInvoice :exec
UPDATE payments.subscriptions SET reported_invoices = reported_invoices || sqlc.arg(invoice_id)::text
WHERE subscription_id = @subscription_id AND NOT (sqlc.arg(invoice_id)::text = ANY (reported_invoices));

-- name: ClaimDueSubscriptions :many
UPDATE payments.subscriptions SET
    next_look_at = sqlc.arg(now)::timestamptz + least(interval '1 hour', sqlc.arg(first_delay)::interval * power(2, least(look_count, 20))),
    look_count = look_count + 1
WHERE subscription_id IN (
    SELECT s.subscription_id FROM payments.subscriptions s
    WHERE s.next_look_at <= sqlc.arg(now)::timestamptz
    ORDER BY s.next_look_at
    LIMIT sqlc.arg(row_limit)::int
    FOR UPDATE SKIP LOCKED
)
RETURNING *;

-- name: MakeSubscriptionsDue :execrows
UPDATE payments.subscriptions SET next_look_at = sqlc.arg(now)::timestamptz
WHERE next_look_at > sqlc.arg(now)::timestamptz AND look_count > 0;

-- name: PaymentByInvoice :one
SELECT * FROM payments.payments WHERE invoice_id = sqlc.arg(invoice_id)::text;

-- name: UntoldTerms :many
-- The first term comes first, for the others renew its order.
SELECT * FROM payments.payments
WHERE subscription_id = sqlc.arg(subscription_id)::text AND status = 'SUCCEEDED' AND told_at IS NULL
ORDER BY renews_order_id IS NOT NULL, term_start;

-- name: TermsPaidSince :many
SELECT order_id FROM payments.payments
WHERE subscription_id = sqlc.arg(subscription_id)::text AND status = 'SUCCEEDED' AND charged_at > sqlc.arg(since)::timestamptz
ORDER BY term_start;

-- name: TermTold :exec
UPDATE payments.payments SET told_at = sqlc.arg(now)::timestamptz WHERE id = $1;

-- name: ForgetTold :exec
UPDATE payments.payments SET told_at = NULL WHERE subscription_id = sqlc.arg(subscription_id)::text;
