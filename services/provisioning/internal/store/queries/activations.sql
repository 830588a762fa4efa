-- name: InsertActivation :exec
INSERT INTO provisioning.activations (token_hash, account_id, order_id, created_at, expires_at)
VALUES (@token_hash, @account_id, @order_id, @created_at, @expires_at);

-- name: IsActivated :one
SELECT EXISTS (
    SELECT FROM provisioning.activations
    WHERE account_id = @account_id AND redeemed_at IS NOT NULL
);

-- name: RedeemActivation :one
UPDATE provisioning.activations
SET redeemed_at = @now::timestamptz
WHERE token_hash = @token_hash AND redeemed_at IS NULL AND expires_at > @now::timestamptz
RETURNING account_id;
