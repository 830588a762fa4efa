-- name: InsertAccount :execrows
INSERT INTO provisioning.accounts (id, email, email_key, name, created_by_order, created_at)
VALUES (@id, @email, @email_key, @name, @created_by_order, @created_at)
ON CONFLICT DO NOTHING;

-- name: LockAccount :one
SELECT id, email, email_key, name, created_by_order, created_at
FROM provisioning.accounts
WHERE id = @id
FOR UPDATE;

-- name: LockAccountByEmail :one
SELECT id, email, email_key, name, created_by_order, created_at
FROM provisioning.accounts
WHERE email_key = @email_key
FOR UPDATE;

-- name: GetAccount :one
SELECT id, email, email_key, name, created_by_order, created_at
FROM provisioning.accounts
WHERE id = @id;

-- name: FindAccount :one
SELECT a.id, a.email, EXISTS (
    SELECT FROM provisioning.activations v WHERE v.account_id = a.id AND v.redeemed_at IS NOT NULL
) AS verified
FROM provisioning.accounts a
WHERE a.email_key = @email_key;

-- name: FindAccountByID :one
SELECT a.id, a.email, EXISTS (
    SELECT FROM provisioning.activations v WHERE v.account_id = a.id AND v.redeemed_at IS NOT NULL
) AS verified
FROM provisioning.accounts a
WHERE a.id = @id;
