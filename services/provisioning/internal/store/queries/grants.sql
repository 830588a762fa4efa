-- name: GetGrant :one
SELECT order_id, account_id, plan_id, term_months, starts_at, ends_at, revoked_at, account_created, created_at
FROM provisioning.grants
WHERE order_id = @order_id;

-- name: InsertGrant :execrows
INSERT INTO provisioning.grants (order_id, account_id, plan_id, term_months, starts_at, ends_at, account_created, created_at)
VALUES (@order_id, @account_id, @plan_id, @term_months, @starts_at, @ends_at, @account_created, @created_at)
ON CONFLICT (order_id) DO NOTHING;

-- name: LatestEnd :one
SELECT ends_at
FROM provisioning.grants
WHERE account_id = @account_id AND revoked_at IS NULL
ORDER BY ends_at DESC
LIMIT 1;

-- name: HasAccess :one
SELECT EXISTS (
    SELECT FROM provisioning.grants
    WHERE account_id = @account_id AND revoked_at IS NULL AND starts_at <= @now::timestamptz AND ends_at > @now::timestamptz
);
