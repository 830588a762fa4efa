-- name: Lock :exec
SELECT pg_advisory_xact_lock(hashtextextended(@name::text, 0));

-- name: GetWithdrawal :one
SELECT at
FROM provisioning.withdrawals
WHERE order_id = @order_id;

-- name: InsertWithdrawal :exec
INSERT INTO provisioning.withdrawals (order_id, at)
VALUES (@order_id, @at);

-- name: DeleteWithdrawal :execrows
DELETE FROM provisioning.withdrawals
WHERE order_id = @order_id;
