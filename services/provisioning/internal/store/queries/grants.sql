-- name: GetGrant :one
SELECT order_id, account_id, plan_id, term_months, starts_at, ends_at, revoked_at, account_created, created_at,
    subscription_id, length, withdrawn_at, ended_at
FROM provisioning.grants
WHERE order_id = @order_id;

-- name: InsertGrant :execrows
INSERT INTO provisioning.grants (
    order_id, account_id, plan_id, term_months, starts_at, ends_at, revoked_at, account_created, created_at,
    subscription_id, length, withdrawn_at, ended_at
)
VALUES (
    @order_id, @account_id, @plan_id, @term_months, @starts_at, @ends_at, @revoked_at, @account_created, @created_at,
    @subscription_id, @length, @withdrawn_at, @ended_at
)
ON CONFLICT (order_id) DO NOTHING;

-- name: UpdateGrant :exec
UPDATE provisioning.grants
SET starts_at = @starts_at, ends_at = @ends_at, revoked_at = @revoked_at,
    subscription_id = @subscription_id, length = @length, withdrawn_at = @withdrawn_at, ended_at = @ended_at
WHERE order_id = @order_id;

-- A paused subscription's grants stand aside: what is bought meanwhile begins at once.
-- name: ListCurrentGrants :many
SELECT g.order_id, g.account_id, g.plan_id, g.term_months, g.starts_at, g.ends_at, g.revoked_at, g.account_created, g.created_at,
    g.subscription_id, g.length, g.withdrawn_at, g.ended_at
FROM provisioning.grants AS g
LEFT JOIN provisioning.subscriptions AS s ON s.subscription_id = g.subscription_id
WHERE g.account_id = @account_id AND g.revoked_at IS NULL AND g.ends_at > @now AND s.status IS DISTINCT FROM 'PAUSED'
ORDER BY g.starts_at, g.created_at, g.order_id;

-- name: ListSubscriptionGrants :many
SELECT order_id, account_id, plan_id, term_months, starts_at, ends_at, revoked_at, account_created, created_at,
    subscription_id, length, withdrawn_at, ended_at
FROM provisioning.grants
WHERE subscription_id = @subscription_id
ORDER BY ends_at;

-- name: InsertGrantEvent :exec
INSERT INTO provisioning.grant_events (order_id, what, at, starts_at, ends_at)
VALUES (@order_id, @what, @at, @starts_at, @ends_at);

-- name: ListHeld :many
SELECT g.starts_at, g.ends_at, s.status, s.renews, s.grace_until,
    NOT EXISTS (
        SELECT FROM provisioning.grants AS later
        WHERE later.subscription_id = g.subscription_id AND later.ends_at > g.ends_at
    ) AS is_last
FROM provisioning.accounts AS a
LEFT JOIN provisioning.grants AS g ON g.account_id = a.id AND g.revoked_at IS NULL
LEFT JOIN provisioning.subscriptions AS s ON s.subscription_id = g.subscription_id
WHERE a.id = @account_id
ORDER BY g.starts_at;
