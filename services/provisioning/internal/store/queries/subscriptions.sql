-- name: GetSubscription :one
SELECT subscription_id, order_id, status, renews, observed_at, grace_until
FROM provisioning.subscriptions
WHERE subscription_id = @subscription_id;

-- name: PutSubscription :exec
INSERT INTO provisioning.subscriptions (subscription_id, order_id, status, renews, observed_at, grace_until)
VALUES (@subscription_id, @order_id, @status, @renews, @observed_at, @grace_until)
ON CONFLICT (subscription_id) DO UPDATE
SET status = EXCLUDED.status, renews = EXCLUDED.renews, observed_at = EXCLUDED.observed_at, grace_until = EXCLUDED.grace_until;

-- name: GetSubscriptionAccount :one
SELECT account_id
FROM provisioning.grants
WHERE subscription_id = @subscription_id
ORDER BY ends_at
LIMIT 1;
