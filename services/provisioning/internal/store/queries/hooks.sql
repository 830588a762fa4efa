-- name: TouchAccess :exec
INSERT INTO provisioning.app_access (account_id, next_look_at, trace_parent)
VALUES (@account_id, @now, @trace_parent)
ON CONFLICT (account_id) DO UPDATE SET touched = app_access.touched + 1, next_look_at = EXCLUDED.next_look_at, trace_parent = EXCLUDED.trace_parent;

-- name: ClaimDueAccess :many
UPDATE provisioning.app_access AS a
SET next_look_at = @lease
FROM (
    SELECT d.account_id
    FROM provisioning.app_access AS d
    WHERE d.next_look_at <= @now
    ORDER BY d.next_look_at
    LIMIT @row_limit
    FOR UPDATE SKIP LOCKED
) AS due
WHERE a.account_id = due.account_id
RETURNING a.account_id, a.touched, a.trace_parent;

-- name: LockAccess :one
SELECT account_id, active, until, last_sequence, touched, next_look_at
FROM provisioning.app_access
WHERE account_id = @account_id
FOR UPDATE;

-- name: UpdateAccess :exec
UPDATE provisioning.app_access
SET active = @active, until = @until, last_sequence = @last_sequence
WHERE account_id = @account_id;

-- name: SettleAccess :exec
UPDATE provisioning.app_access
SET next_look_at = @next_look_at
WHERE account_id = @account_id AND touched = @touched;

-- name: InsertHook :exec
INSERT INTO provisioning.hooks (id, account_id, sequence, active, until, changed_at, state)
VALUES (@id, @account_id, @sequence, @active, @until, @changed_at, 'QUEUED');

-- name: NextHook :one
SELECT id, account_id, sequence, active, until, changed_at, state, attempt_count, first_tried_at, last_error, delivered_at
FROM provisioning.hooks
WHERE account_id = @account_id AND state = 'QUEUED'
ORDER BY sequence
LIMIT 1;

-- name: BeginHook :one
UPDATE provisioning.hooks
SET attempt_count = attempt_count + 1, first_tried_at = coalesce(first_tried_at, @now)
WHERE id = @id
RETURNING attempt_count, first_tried_at;

-- name: FinishHook :exec
UPDATE provisioning.hooks
SET state = @state, last_error = @last_error, delivered_at = coalesce(@delivered_at, delivered_at)
WHERE id = @id;

-- name: ListHooks :many
SELECT sqlc.embed(h), a.next_look_at
FROM provisioning.hooks AS h
JOIN provisioning.app_access AS a ON a.account_id = h.account_id
WHERE (sqlc.narg(account_id)::uuid IS NULL OR h.account_id = sqlc.narg(account_id))
  AND (@undelivered::boolean IS FALSE OR h.state <> 'DELIVERED')
  AND (h.changed_at, h.id) < (@before_at::timestamptz, @before_id::uuid)
ORDER BY h.changed_at DESC, h.id DESC
LIMIT @row_limit;

-- name: Undelivered :one
SELECT count(*) AS hook_count, coalesce(min(changed_at), 'epoch'::timestamptz)::timestamptz AS oldest_at
FROM provisioning.hooks
WHERE state <> 'DELIVERED';

-- name: CountHooksToQueueAgain :one
SELECT count(*)
FROM provisioning.hooks AS h
WHERE (sqlc.narg(account_id)::uuid IS NULL OR h.account_id = sqlc.narg(account_id))
  AND h.changed_at >= @since
  AND (@undelivered::boolean IS FALSE OR h.sequence >= (
      SELECT min(u.sequence)
      FROM provisioning.hooks AS u
      WHERE u.account_id = h.account_id AND u.state <> 'DELIVERED' AND u.changed_at >= @since
  ));

-- name: QueueHooksAgain :many
UPDATE provisioning.hooks AS h
SET state = 'QUEUED', attempt_count = 0, first_tried_at = NULL, last_error = ''
WHERE (sqlc.narg(account_id)::uuid IS NULL OR h.account_id = sqlc.narg(account_id))
  AND h.changed_at >= @since
  AND (@undelivered::boolean IS FALSE OR h.sequence >= (
      SELECT min(u.sequence)
      FROM provisioning.hooks AS u
      WHERE u.account_id = h.account_id AND u.state <> 'DELIVERED' AND u.changed_at >= @since
  ))
RETURNING h.account_id;

-- name: TouchManyAccesses :exec
UPDATE provisioning.app_access
SET touched = touched + 1, next_look_at = @now
WHERE account_id = ANY (@account_ids::uuid[]);

-- name: InsertHookReplay :exec
INSERT INTO provisioning.hook_replays (account_id, since, hook_count, actor, reason, at)
VALUES (@account_id, @since, @hook_count, @actor, @reason, @at);
