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
