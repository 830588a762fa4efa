package store

import "makegood.example/services/platform/metrics"

// Readings are the gauges of Reconciliation. What counts over charges or runs
// looks at no more than the newest, or at the index of what is not explained.
var Readings = []metrics.Reading{
	metrics.Due(
		metrics.Look{Work: "sweeps", Table: "reconciliation.sweeps"},
		metrics.Look{Work: "cases", Table: "reconciliation.cases", Where: "state = 'OPEN'"},
	),
	{
		Gauges: []metrics.Gauge{
			{Name: "makegood_run_finished_seconds", Help: "How long ago the last run finished, well or not; dry runs do not count."},
			{Name: "makegood_run_succeeded_seconds", Help: "How long ago the last run that succeeded finished."},
		},
		SQL: `SELECT
			(SELECT extract(epoch FROM $1::timestamptz - finished_at) FROM reconciliation.runs
				WHERE status <> 'RUNNING' AND NOT dry_run ORDER BY id DESC LIMIT 1)::float8,
			(SELECT extract(epoch FROM $1::timestamptz - finished_at) FROM reconciliation.runs
				WHERE status = 'SUCCEEDED' AND NOT dry_run ORDER BY id DESC LIMIT 1)::float8`,
	},
	{
		Labels: []string{"status"},
		Gauges: []metrics.Gauge{{Name: "makegood_runs_last_day", Help: "Runs that began within the last day, by status: up to the newest 2000."}},
		SQL: `SELECT s.status, count(r.status)::float8
			FROM unnest(ARRAY['RUNNING', 'SUCCEEDED', 'FAILED']) AS s (status)
			LEFT JOIN (SELECT status, started_at FROM reconciliation.runs ORDER BY id DESC LIMIT 2000) AS r
				ON r.status = s.status AND r.started_at > $1::timestamptz - interval '1 day'
			GROUP BY s.status`,
	},
	{
		Labels: []string{"list"},
		Gauges: []metrics.Gauge{{Name: "makegood_cursor_behind_seconds", Help: "How far the cursor over one of Stripe's lists is behind now."}},
		// Two others say when something was done that is done now and then, and one is what
		// an earlier program had of disputes.
		SQL: `SELECT name, extract(epoch FROM $1::timestamptz - read_before)::float8 FROM reconciliation.cursors
			WHERE name NOT IN ('integrity', 'dispute-ends', 'disputes')`,
	},
	{
		Gauges: []metrics.Gauge{
			{Name: "makegood_deep_pass_running_seconds", Help: "How long the deep pass that is under way has taken; 0 when none is."},
			{Name: "makegood_deep_pass_pages", Help: "Pages of charges that it has read."},
			{Name: "makegood_deep_pass_finished_seconds", Help: "How long ago the last deep pass finished that read everything."},
		},
		SQL: `SELECT coalesce(extract(epoch FROM $1::timestamptz - p.started_at), 0)::float8, coalesce(p.pages_read, 0)::float8,
				(SELECT extract(epoch FROM $1::timestamptz - finished_at) FROM reconciliation.deep_passes
					WHERE finished_at IS NOT NULL AND NOT abandoned ORDER BY id DESC LIMIT 1)::float8
			FROM (VALUES (1)) AS one (n)
			LEFT JOIN reconciliation.deep_passes AS p ON p.finished_at IS NULL`,
	},
	{
		Labels: []string{"disposition"},
		Gauges: []metrics.Gauge{{Name: "makegood_charges_last_day", Help: "Charges that Stripe made within the last day, by disposition: up to the newest 20000."}},
		SQL: `SELECT s.disposition, count(d.disposition)::float8
			FROM unnest(ARRAY['FOREIGN', 'QUARANTINED', 'REFUNDED', 'DUPLICATE', 'RECOVERED', 'MATCHED', 'OPEN']) AS s (disposition)
			LEFT JOIN (
				SELECT disposition FROM reconciliation.charge_dispositions WHERE created_at > $1::timestamptz - interval '1 day'
				ORDER BY created_at DESC, charge_id DESC LIMIT 20000
			) AS d ON d.disposition = s.disposition
			GROUP BY s.disposition`,
	},
	{
		Gauges: []metrics.Gauge{
			{Name: "makegood_charges_unexplained", Help: "Charges on the Stripe account whose disposition is OPEN: not explained yet."},
			{Name: "makegood_charges_unexplained_seconds", Help: "How long ago the oldest of them was made; 0 when there is none."},
		},
		// An OPEN charge is read again: a constraint says so.
		SQL: `SELECT count(*)::float8, coalesce(extract(epoch FROM $1::timestamptz - min(created_at)), 0)::float8
			FROM reconciliation.charge_dispositions WHERE read_again_at IS NOT NULL AND disposition = 'OPEN'`,
	},
	{
		Gauges: []metrics.Gauge{
			{Name: "makegood_charges_unserved", Help: "Charges of ours that were paid, not given back, and gave no access, but for those about which a person has decided."},
			{Name: "makegood_charges_unserved_seconds", Help: "How long ago the oldest of them was made: the oldest paid customer without access; 0 when there is none."},
		},
		SQL: `SELECT count(*)::float8, coalesce(extract(epoch FROM $1::timestamptz - min(created_at)), 0)::float8
			FROM reconciliation.charge_dispositions AS d
			WHERE disposition IN ('OPEN', 'QUARANTINED') AND owner = 'OURS'
				AND status = 'SUCCEEDED' AND captured AND access_at IS NULL AND refunded_minor < amount_minor
				AND NOT EXISTS (SELECT FROM reconciliation.decided_charges AS k WHERE k.charge_id = d.charge_id)`,
	},
	{
		Gauges: []metrics.Gauge{{Name: "makegood_charges_decided", Help: "Charges of ours that were kept and gave no access, by the decision of a person who closed their case."}},
		SQL:    `SELECT count(*)::float8 FROM reconciliation.decided_charges`,
	},
	{
		Labels: []string{"kind"},
		Gauges: []metrics.Gauge{
			{Name: "makegood_cases_open", Help: "Cases that wait for a person, by kind; a kind without any is not told."},
			{Name: "makegood_cases_open_seconds", Help: "How long ago the oldest of them was opened."},
		},
		SQL: `SELECT kind, count(*)::float8, extract(epoch FROM $1::timestamptz - min(opened_at))::float8
			FROM reconciliation.cases WHERE state = 'OPEN' GROUP BY kind`,
	},
	{
		Gauges: []metrics.Gauge{
			{Name: "makegood_cases_unclaimed", Help: "Open cases that nobody has claimed."},
			{Name: "makegood_cases_customer_waits_seconds", Help: "How long the customer has waited who waits longest because of an open case; 0 when none waits."},
		},
		SQL: `SELECT count(*) FILTER (WHERE claimed_by IS NULL)::float8, coalesce(extract(epoch FROM $1::timestamptz - min(waiting_since)), 0)::float8
			FROM reconciliation.cases WHERE state = 'OPEN'`,
	},
}
