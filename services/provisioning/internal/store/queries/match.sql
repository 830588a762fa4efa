-- name: MatchGrants :many
-- A mark belongs to no account: its times mean nothing.
SELECT g.order_id, g.account_id, g.starts_at, g.ends_at, g.revoked_at, g.account_created, g.withdrawn_at, g.ended_at
FROM provisioning.grants AS g
WHERE g.order_id = ANY (CAST(sqlc.arg(order_ids)::text[] AS uuid[]))
UNION ALL
SELECT w.order_id, '00000000-0000-0000-0000-000000000000'::uuid, w.at, w.at, w.at, false, w.at, NULL::timestamptz
FROM provisioning.withdrawals AS w
WHERE w.order_id = ANY (CAST(sqlc.arg(order_ids)::text[] AS uuid[]))
    AND NOT EXISTS (SELECT FROM provisioning.grants AS g WHERE g.order_id = w.order_id);

-- name: HistoryPosition :one
SELECT coalesce(max(id), 0)::bigint
FROM provisioning.grant_events;
