-- name: MatchCharges :many
-- One order for each charge: the one it paid, else the one of its intent, else the
-- one that it names. A pair of purchases by one person within the window is told on
-- the later one. Nearly all are found by the first key, in one pass through its
-- index; only the others are looked for by the second and the third.
WITH asked AS (
    SELECT unnest(sqlc.arg(charge_ids)::text[]) AS charge_id,
        unnest(sqlc.arg(payment_intent_ids)::text[]) AS payment_intent_id,
        unnest(sqlc.arg(order_ids)::text[]) AS order_id
), paid AS MATERIALIZED (
    SELECT o.charge_id, o.id, o.state, o.checkout, o.payment_status, o.amount_minor, o.currency, o.customer_id,
        o.refunded_minor, o.dispute, o.charged_at, o.completed_at, o.access_withdrawn_at, o.recovered_by,
        (
            SELECT e.id
            FROM orders.orders AS e
            WHERE e.email_key = o.email_key AND e.plan_id = o.plan_id AND e.id <> o.id
                AND o.kind = 'PURCHASE' AND NOT o.allow_repeat
                AND e.kind = 'PURCHASE' AND e.charge_id IS NOT NULL
                AND e.state <> 'REFUNDED' AND coalesce(e.dispute, '') <> 'LOST'
                AND e.charged_at >= o.charged_at - sqlc.arg(duplicate_window)::interval
                AND (e.charged_at, e.created_at, e.id) < (o.charged_at, o.created_at, o.id)
            ORDER BY e.charged_at, e.created_at, e.id
            LIMIT 1
        ) AS duplicate_of_order_id
    FROM orders.orders AS o
    WHERE o.charge_id = ANY (sqlc.arg(charge_ids)::text[])
)
SELECT p.charge_id::text AS charge_id, p.id AS order_id, p.state, p.checkout, p.payment_status, p.charge_id AS paid_by_charge_id, p.amount_minor, p.currency, p.customer_id,
    p.refunded_minor, p.dispute, p.charged_at, p.completed_at, p.access_withdrawn_at, p.recovered_by,
    coalesce(p.duplicate_of_order_id, '00000000-0000-0000-0000-000000000000')::uuid AS duplicate_of_order_id
FROM paid AS p
UNION ALL
SELECT asked.charge_id::text, o.id, o.state, o.checkout, o.payment_status, o.charge_id, o.amount_minor, o.currency, o.customer_id,
    o.refunded_minor, o.dispute, o.charged_at, o.completed_at, o.access_withdrawn_at, o.recovered_by,
    '00000000-0000-0000-0000-000000000000'::uuid
FROM asked
JOIN orders.orders AS o ON o.id = coalesce(
    (SELECT b.id FROM orders.orders AS b WHERE b.payment_intent_id = asked.payment_intent_id),
    (SELECT c.id FROM orders.orders AS c WHERE c.id = asked.order_id::uuid)
)
WHERE NOT EXISTS (SELECT FROM paid AS p WHERE p.charge_id = asked.charge_id);

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
-- What was refunded, or withdrawn after a dispute, is confirmed no more.
SELECT * FROM orders.orders
WHERE completed_at >= sqlc.arg(since)::timestamptz AND completed_at < sqlc.arg(before)::timestamptz
    AND (completed_at, id) > (sqlc.arg(after_time)::timestamptz, sqlc.arg(after_id)::uuid)
    AND state IN ('COMPLETE', 'RECOVERED') AND access_withdrawn_at IS NULL
ORDER BY completed_at, id
LIMIT sqlc.arg(row_limit)::int;

-- name: FirstCompleted :one
-- The first order of an address that was given access without naming an account.
SELECT id FROM orders.orders
WHERE email_key = $1 AND account_id = '' AND completed_at IS NOT NULL
ORDER BY completed_at, id
LIMIT 1;
