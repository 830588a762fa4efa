-- name: InsertTicket :one
INSERT INTO reconciliation.tickets (idempotency_key, email, address, subject, description, category, state, opened_by, opened_at, order_ids, charge_ids)
VALUES (@idempotency_key, @email, @address, @subject, @description, @category, 'OPEN', @opened_by, @opened_at, @order_ids, @charge_ids)
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING *;

-- name: TicketByKey :one
SELECT * FROM reconciliation.tickets WHERE idempotency_key = @idempotency_key;

-- name: GetTicket :one
SELECT * FROM reconciliation.tickets WHERE id = @id;

-- name: UpdateTicket :one
-- The version is the guard: of two who read the same ticket, one changes it.
UPDATE reconciliation.tickets
SET state = @state, resolution = @resolution, resolved_by = @resolved_by, resolved_at = @resolved_at, assigned_to = @assigned_to,
    order_ids = @order_ids, charge_ids = @charge_ids, version = version + 1, changed_by_key = sqlc.arg(changed_by_key)::uuid
WHERE id = @id AND version = @version
RETURNING *;

-- name: ListTickets :many
-- An empty state lists what is not resolved.
SELECT * FROM reconciliation.tickets
WHERE (CASE WHEN @state::text = '' THEN state <> 'RESOLVED' ELSE state = @state::text END)
  AND (opened_at, id) > (sqlc.arg(after_opened_at)::timestamptz, sqlc.arg(after_id)::bigint)
ORDER BY opened_at, id
LIMIT @page_size;

-- name: TicketsOfAddresses :many
SELECT * FROM reconciliation.tickets WHERE address = ANY (@addresses::text[]) ORDER BY id DESC LIMIT @max_rows;
