-- Each lists one more than is shown, so that it is known whether there are more.

-- name: FindByMailbox :many
-- The orders of an address itself come before those of others of its mailbox.
SELECT id, email_key <> sqlc.arg(email_key)::text AS alias FROM orders.orders
WHERE regexp_replace(email_key, '\+[^@]*@', '@') = regexp_replace(sqlc.arg(email_key)::text, '\+[^@]*@', '@')
ORDER BY email_key <> sqlc.arg(email_key)::text, created_at DESC, id
LIMIT sqlc.arg(row_limit)::int;

-- name: FindByReference :many
SELECT id FROM orders.orders
WHERE reference BETWEEN sqlc.arg(first_reference)::uuid AND sqlc.arg(last_reference)::uuid
ORDER BY created_at DESC, id
LIMIT sqlc.arg(row_limit)::int;

-- name: FindByStripeName :many
-- Each name through its own index.
SELECT id FROM orders.orders WHERE id IN (
    SELECT i.id FROM orders.orders i WHERE i.payment_intent_id = sqlc.arg(name)::text
    UNION ALL
    SELECT c.id FROM orders.orders c WHERE c.charge_id = sqlc.arg(name)::text
    UNION ALL
    SELECT u.id FROM orders.orders u WHERE u.customer_id = sqlc.arg(name)::text
)
ORDER BY created_at DESC, id
LIMIT sqlc.arg(row_limit)::int;

-- name: FindByAccount :many
SELECT id FROM orders.orders
WHERE account_id = sqlc.arg(account_id)::text AND account_id <> ''
ORDER BY created_at DESC, id
LIMIT sqlc.arg(row_limit)::int;
