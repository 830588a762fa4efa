-- name: LockSubscription :exec
-- What is heard of one subscription is decided one after the other, also before
-- there is a row.
SELECT pg_advisory_xact_lock(hashtextextended('subscription ' || sqlc.arg(subscription_id)::text, 0));

-- name: GetSubscription :one
SELECT * FROM orders.subscriptions WHERE subscription_id = $1;

-- name: GetSubscriptionOf :one
-- The subscription that an order began.
SELECT * FROM orders.subscriptions WHERE order_id = $1;

-- name: PutSubscription :exec
-- What Provisioning answered stays until it has answered to this.
INSERT INTO orders.subscriptions (
    subscription_id, order_id, status, renews, current_period_end, unpaid_invoice_id, unpaid_amount_minor, unpaid_currency,
    unpaid_url, unpaid_action_required, unpaid_next_attempt_at, observed_at, paid_since
) VALUES (
    @subscription_id, @order_id, @status, @renews, @current_period_end, @unpaid_invoice_id, @unpaid_amount_minor, @unpaid_currency,
    @unpaid_url, @unpaid_action_required, @unpaid_next_attempt_at, @observed_at, @paid_since
)
ON CONFLICT (subscription_id) DO UPDATE SET
    status = excluded.status,
    paid_since = excluded.paid_since,
    renews = excluded.renews,
    current_period_end = excluded.current_period_end,
    unpaid_invoice_id = excluded.unpaid_invoice_id,
    unpaid_amount_minor = excluded.unpaid_amount_minor,
    unpaid_currency = excluded.unpaid_currency,
    unpaid_url = excluded.unpaid_url,
    unpaid_action_required = excluded.unpaid_action_required,
    unpaid_next_attempt_at = excluded.unpaid_next_attempt_at,
    observed_at = excluded.observed_at;

-- name: SetSubscriptionAccess :execrows
-- An answer about an older observation is none about this one.
UPDATE orders.subscriptions SET access_until = @access_until
WHERE subscription_id = @subscription_id AND observed_at = @observed_at AND status = @status AND renews = @renews;

-- name: InsertNotice :execrows
INSERT INTO orders.notices (dedupe_key, subscription_id, queued_at) VALUES ($1, $2, $3)
ON CONFLICT (dedupe_key) DO NOTHING;

-- name: OrderWithSubscription :one
-- Another order of the same buyer for the same plan that began or renewed a
-- subscription which is not over: it gives access, will when its order is fulfilled,
-- will be charged again, whatever became of this term's money, or is paused, and then
-- to be resumed: two would both be charged, year after year.
SELECT o.id FROM orders.orders o
LEFT JOIN orders.subscriptions s ON s.order_id = coalesce(o.renews_order_id, o.id)
WHERE o.email_key = $1 AND o.plan_id = $2 AND o.id <> sqlc.arg(id)::uuid
  AND o.state IN ('CHARGED', 'ORPHANED', 'COMPLETE', 'RECOVERED', 'REFUNDED')
  AND coalesce(s.status, '') NOT IN ('UNPAID', 'ENDED')
  AND (s.renews AND s.status IN ('ACTIVE', 'PAST_DUE')
       OR s.status = 'PAUSED'
       OR o.state <> 'REFUNDED' AND o.access_withdrawn_at IS NULL
          AND (o.access_until IS NULL OR greatest(o.access_until, s.access_until) > sqlc.arg(now)::timestamptz))
ORDER BY o.charged_at DESC, o.id
LIMIT 1;

-- name: ListOpenPages :many
-- Other orders of the same buyer for the same plan that wait on a page of Stripe's.
SELECT o.id FROM orders.orders o
WHERE o.email_key = $1 AND o.plan_id = $2 AND o.id <> sqlc.arg(id)::uuid
  AND o.checkout = 'HOSTED' AND o.state = 'PENDING' AND o.payment_status IN ('REQUIRES_ACTION', 'REQUIRES_PAYMENT_METHOD')
ORDER BY o.created_at
LIMIT 20;
