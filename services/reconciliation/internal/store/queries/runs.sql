-- name: FailAbandonedRuns :execrows
-- A process knows which runs it works on: any other under its name is what it had in
-- hand when it was killed, or never heard that it began.
UPDATE reconciliation.runs
SET status = 'FAILED', finished_at = @now::timestamptz, lease_until = NULL,
    errors = errors + 1, details = details || jsonb_build_array(@detail::text)
WHERE status = 'RUNNING' AND (lease_until <= @now::timestamptz OR instance = @instance::text AND instance <> '' AND id <> ALL(@at_work::bigint[]));

-- name: InsertRun :one
INSERT INTO reconciliation.runs (started_at, status, lease_until, dry_run, instance)
VALUES (@started_at, 'RUNNING', @lease_until, @dry_run, @instance)
RETURNING id;

-- name: SaveProgress :execrows
UPDATE reconciliation.runs
SET lease_until = @lease_until, stuck_found = @stuck_found, stuck_recovered = @stuck_recovered,
    charges_checked = @charges_checked, orphans_found = @orphans_found, orphans_recovered = @orphans_recovered,
    dispositions = @dispositions, events_added = @events_added, confirmations_sent = @confirmations_sent,
    errors = @errors, details = details || to_jsonb(@lines::text[])
WHERE id = @id AND status = 'RUNNING';

-- name: FinishRun :execrows
UPDATE reconciliation.runs
SET status = @status, finished_at = @finished_at, lease_until = NULL,
    stuck_found = @stuck_found, stuck_recovered = @stuck_recovered,
    charges_checked = @charges_checked, orphans_found = @orphans_found, orphans_recovered = @orphans_recovered,
    dispositions = @dispositions, events_added = @events_added, confirmations_sent = @confirmations_sent,
    errors = @errors, details = details || to_jsonb(@lines::text[])
WHERE id = @id AND status = 'RUNNING';

-- name: GetRun :one
SELECT id, started_at, finished_at, status, lease_until, stuck_found, stuck_recovered,
    charges_checked, orphans_found, orphans_recovered, errors, details,
    dry_run, dispositions, events_added, confirmations_sent, instance
FROM reconciliation.runs
WHERE id = @id;

-- name: ListRuns :many
SELECT id, started_at, finished_at, status, lease_until, stuck_found, stuck_recovered,
    charges_checked, orphans_found, orphans_recovered, errors, details,
    dry_run, dispositions, events_added, confirmations_sent, instance
FROM reconciliation.runs
WHERE id < @before_id
ORDER BY id DESC
LIMIT @page_size;

-- name: ClaimSweeps :many
-- A next look further away than one period was set when the period was longer.
UPDATE reconciliation.sweeps
SET next_look_at = @next_look_at::timestamptz
WHERE name IN (
    SELECT due.name
    FROM reconciliation.sweeps AS due
    WHERE due.next_look_at <= @now::timestamptz OR due.next_look_at > @next_look_at::timestamptz
    ORDER BY due.next_look_at
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
)
RETURNING name;
