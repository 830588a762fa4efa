-- name: ClaimIncidentLook :many
-- A look further away than one pause was set by a clock that was ahead.
UPDATE reconciliation.incident_looks SET look_again_at = @next::timestamptz
WHERE look_again_at <= @now::timestamptz OR look_again_at > @next::timestamptz
RETURNING only_row;

-- name: ListStandings :many
SELECT kind, count(*) AS case_count,
    count(*) FILTER (WHERE snoozed_until > @now::timestamptz) AS snoozed_count,
    count(*) FILTER (WHERE claimed_by IS NOT NULL) AS claimed_count,
    count(*) FILTER (WHERE urgent) AS urgent_count,
    min(opened_at)::timestamptz AS since, max(opened_at)::timestamptz AS newest_at
FROM reconciliation.cases
WHERE state = 'OPEN'
GROUP BY kind
ORDER BY kind;

-- name: ListTopCases :many
-- Of each kind the few that are awake and a customer waits for longest.
SELECT c.id, c.kind, c.subject, c.state, c.summary, c.opened_at, c.resolved_at, c.reported_count, c.last_reported_at, c.waiting_since,
    c.claimed_by, c.claimed_at, c.snoozed_until, c.resolved_by, c.resolution, c.told_at, c.next_look_at, c.look_count, c.acknowledged_by, c.acknowledged_at, c.urgent, c.version
FROM (
    SELECT id, row_number() OVER (
        PARTITION BY kind
        ORDER BY coalesce(snoozed_until > @now::timestamptz, false), NOT urgent, coalesce(waiting_since, '9999-12-31 00:00:00+00'), opened_at, id
    ) AS place
    FROM reconciliation.cases
    WHERE state = 'OPEN'
) AS top
JOIN reconciliation.cases AS c USING (id)
WHERE top.place <= sqlc.arg(most)::bigint
ORDER BY c.kind, top.place;

-- name: ListAmounts :many
SELECT charge_id, amount_minor, currency, created_at FROM reconciliation.charge_dispositions WHERE charge_id = ANY (@charge_ids::text[]);

-- name: CountMissedEvents :one
-- Of the newest runs, those that found events which had not come.
SELECT count(*) AS run_count, coalesce(sum(events_added), 0)::bigint AS event_count, coalesce(min(started_at), @after::timestamptz)::timestamptz AS since
FROM (
    SELECT events_added, started_at FROM reconciliation.runs
    WHERE NOT dry_run AND events_added > 0
    ORDER BY id DESC
    LIMIT 1000
) AS r
WHERE started_at > @after::timestamptz;

-- name: ClaimLedgerLook :many
UPDATE reconciliation.incident_looks SET ledger_look_again_at = @next::timestamptz
WHERE ledger_look_again_at <= @now::timestamptz OR ledger_look_again_at > @next::timestamptz
RETURNING only_row;
