-- name: CustomersOfPeople :many
-- The Stripe customers that bought something here with these addresses, or that a
-- person linked to them.
SELECT c.customer_id::text AS customer_id FROM payments.customers c WHERE c.email_key = ANY (sqlc.arg(email_keys)::text[]) AND c.customer_id IS NOT NULL
UNION
SELECT p.customer_id::text FROM payments.payments p WHERE p.email_key = ANY (sqlc.arg(email_keys)::text[]) AND p.customer_id IS NOT NULL
UNION
SELECT l.customer_id FROM payments.customer_links l WHERE l.email_key = ANY (sqlc.arg(email_keys)::text[])
ORDER BY customer_id;

-- name: PaidPayments :many
-- The newest payments that are recorded as paid, by any of four names; each through
-- its own index.
SELECT * FROM payments.payments
WHERE charge_id IS NOT NULL AND id IN (
    SELECT e.id FROM payments.payments e WHERE e.email_key = ANY (sqlc.arg(email_keys)::text[])
    UNION ALL
    SELECT u.id FROM payments.payments u WHERE u.customer_id = ANY (sqlc.arg(customer_ids)::text[])
    UNION ALL
    SELECT c.id FROM payments.payments c WHERE c.charge_id = ANY (sqlc.arg(charge_ids)::text[])
    UNION ALL
    SELECT i.id FROM payments.payments i WHERE i.payment_intent_id = ANY (sqlc.arg(intent_ids)::text[])
)
ORDER BY charged_at DESC, id
LIMIT sqlc.arg(row_limit)::int;
