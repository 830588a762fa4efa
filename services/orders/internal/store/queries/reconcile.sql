-- name: OrdersPaidBy :many
-- The orders that charges paid, in one pass through the index. A pair of purchases by
-- one person within the window is told on the later one; without a window none is looked for.
SELECT o.charge_id::text AS charge_id, o.id AS order_id, o.state, o.checkout, o.payment_status, o.amount_minor, o.currency,
    coalesce(o.customer_id, '') AS customer_id, o.refunded_minor, coalesce(o.dispute, '') AS dispute,
    o.charged_at, o.completed_at, o.access_withdrawn_at, coalesce(o.recovered_by, '') AS recovered_by,
    d.id AS duplicate_of_order_id
FROM orders.orders AS o
LEFT JOIN LATERAL (
    SELECT e.id
    FROM orders.orders AS e
    WHERE e.email_key = o.email_key AND e.plan_id = o.plan_id AND e.id <> o.id
        AND o.kind = 'PURCHASE' AND NOT o.allow_repeat AND sqlc.arg(duplicate_window)::interval > '0'
        AND e.kind = 'PURCHASE' AND e.charge_id IS NOT NULL
        AND e.state <> 'REFUNDED' AND coalesce(e.dispute, '') <> 'LOST'
        AND e.charged_at >= o.charged_at - sqlc.arg(duplicate_window)::interval
        AND (e.charged_at, e.created_at, e.id) < (o.charged_at, o.created_at, o.id)
    ORDER BY e.charged_at, e.created_at, e.id
    LIMIT 1
) AS d ON true
WHERE o.charge_id = ANY (sqlc.arg(charge_ids)::text[]);

-- name: OrdersNamedBy :many
-- For charges that paid no order that we know: the order of the charge's intent, else
-- the one that the charge names.
SELECT asked.charge_id::text AS charge_id, o.id AS order_id, o.state, o.checkout, o.payment_status, coalesce(o.charge_id, '') AS paid_by_charge_id,
    o.amount_minor, o.currency, coalesce(o.customer_id, '') AS customer_id, o.refunded_minor, coalesce(o.dispute, '') AS dispute,
    o.charged_at, o.completed_at, o.access_withdrawn_at, coalesce(o.recovered_by, '') AS recovered_by
FROM (
    SELECT unnest(sqlc.arg(charge_ids)::text[]) AS charge_id, unnest(sqlc.arg(payment_intent_ids)::text[]) AS payment_intent_id,
        unnest(sqlc.arg(order_ids)::uuid[]) AS order_id
) AS asked
JOIN orders.orders AS o ON o.id = coalesce(
    (SELECT b.id FROM orders.orders AS b WHERE b.payment_intent_id = asked.payment_intent_id),
    asked.order_id
);

-- name: PaidInstead :many
-- For orders that were given up and are not known to be paid: the order for the same
-- that their buyer has paid since. The same rule as HasPaidSince.
SELECT DISTINCT ON (o.id) o.id AS order_id, e.id AS paid_order_id
FROM orders.orders AS o
JOIN orders.orders AS e ON e.email_key = o.email_key AND e.plan_id = o.plan_id AND e.kind = 'PURCHASE' AND e.id <> o.id
    AND e.charged_at IS NOT NULL AND e.state <> 'REFUNDED'
    AND coalesce(e.completed_at, e.last_progress_at) >= o.submitted_at
WHERE o.id = ANY (sqlc.arg(order_ids)::uuid[]) AND o.state IN ('FAILED', 'EXPIRED')
ORDER BY o.id, e.charged_at, e.id;

-- name: HistoryPosition :one
SELECT coalesce(max(id), 0)::bigint FROM orders.history;

-- name: ListCompleted :many
-- What was refunded, or withdrawn after a dispute, is confirmed no more. A page has one
-- lower bound: of two, PostgreSQL may begin at the one that is further away, and read
-- the index from its first order on.
SELECT * FROM orders.orders
WHERE completed_at < sqlc.arg(before)::timestamptz AND (completed_at, id) > (sqlc.arg(after_time)::timestamptz, sqlc.arg(after_id)::uuid)
    AND state IN ('COMPLETE', 'RECOVERED') AND access_withdrawn_at IS NULL
ORDER BY completed_at, id
LIMIT sqlc.arg(row_limit)::int;

-- name: FirstCompleted :one
-- The first order of an address that was given access without naming an account.
SELECT id FROM orders.orders
WHERE email_key = $1 AND account_id = '' AND completed_at IS NOT NULL
ORDER BY completed_at, id
LIMIT 1;
