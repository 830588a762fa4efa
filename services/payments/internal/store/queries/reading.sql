-- name: PaymentsOfPage :many
-- The payments that a page of charges may be about, by any of three names; each
-- through its own index, whatever the planner knows of the others.
SELECT * FROM payments.payments
WHERE id IN (
    SELECT c.id FROM unnest(sqlc.arg(charge_ids)::text[]) AS ask (name) JOIN payments.payments c ON c.charge_id = ask.name
    UNION ALL
    SELECT i.id FROM unnest(sqlc.arg(intent_ids)::text[]) AS ask (name) JOIN payments.payments i ON i.payment_intent_id = ask.name
    UNION ALL
    SELECT o.id FROM unnest(sqlc.arg(order_ids)::uuid[]) AS ask (name) JOIN payments.payments o ON o.order_id = ask.name
)
ORDER BY order_id, seq;

-- name: PeopleOfPage :many
-- Whose each Stripe customer is, of those that bought something here; one row a customer.
SELECT ask.customer_id::text AS customer_id, coalesce(bought.email_key, c.email_key, l.email_key, '')::text AS email_key
FROM unnest(sqlc.arg(customer_ids)::text[]) AS ask (customer_id)
LEFT JOIN payments.customers c ON c.customer_id = ask.customer_id
LEFT JOIN payments.customer_links l ON l.customer_id = ask.customer_id
LEFT JOIN LATERAL (
    SELECT p.email_key FROM payments.payments p WHERE p.customer_id = ask.customer_id ORDER BY p.created_at DESC, p.seq DESC LIMIT 1
) bought ON true;

-- name: AccountsOfPage :many
-- The latest payment of each account.
SELECT DISTINCT ON (account_id) * FROM payments.payments
WHERE account_id = ANY (sqlc.arg(account_ids)::text[]) AND account_id <> ''
ORDER BY account_id, created_at DESC, seq DESC;

-- name: SubscriptionsOfPage :many
SELECT * FROM payments.subscriptions WHERE subscription_id = ANY (sqlc.arg(subscription_ids)::text[]);

-- name: RefundsOfPage :many
SELECT * FROM payments.refunds WHERE stripe_refund_id = ANY (sqlc.arg(stripe_refund_ids)::text[]);

-- name: CatchUpEvents :many
-- Files the events that the ledger lacks: due now, and delivered by nobody.
INSERT INTO payments.webhook_events (
    stripe_event_id, type, livemode, api_version, object_id, status, attempt_count, customer_id, customer_email,
    payload, received_at, next_look_at
)
SELECT n.id, n.type, n.livemode, n.api_version, n.object_id, 'RECEIVED', 0, nullif(n.customer_id, ''), nullif(n.email, ''),
    n.payload, sqlc.arg(now)::timestamptz, sqlc.arg(now)::timestamptz
FROM (
    SELECT unnest(sqlc.arg(ids)::text[]) AS id, unnest(sqlc.arg(types)::text[]) AS type, unnest(sqlc.arg(livemodes)::boolean[]) AS livemode,
        unnest(sqlc.arg(api_versions)::text[]) AS api_version, unnest(sqlc.arg(object_ids)::text[]) AS object_id,
        unnest(sqlc.arg(customer_ids)::text[]) AS customer_id, unnest(sqlc.arg(emails)::text[]) AS email, unnest(sqlc.arg(payloads)::bytea[]) AS payload
) n
ON CONFLICT (stripe_event_id) DO NOTHING
RETURNING stripe_event_id;
