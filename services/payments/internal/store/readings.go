package store

import "makegood.example/services/platform/metrics"

// Readings are the gauges of Payments. What counts over the ledger looks at no
// more than the newest events, so that it costs the same whatever is stored.
var Readings = []metrics.Reading{
	metrics.Due(
		metrics.Look{Work: "webhook_events", Table: "payments.webhook_events"},
		metrics.Look{Work: "attempts", Table: "payments.attempts"},
		metrics.Look{Work: "refunds", Table: "payments.refunds"},
		metrics.Look{Work: "subscriptions", Table: "payments.subscriptions"},
	),
	{
		Labels: []string{"status"},
		Gauges: []metrics.Gauge{
			{Name: "makegood_ledger_last_hour_events", Help: "Events received within the last hour, by status: all of them up to the newest 20000. ORPHANED over the sum is the orphan rate."},
		},
		SQL: `SELECT s.status, count(e.status)::float8
			FROM unnest(ARRAY['RECEIVED', 'PROCESSED', 'IGNORED', 'ORPHANED', 'FAILED', 'QUARANTINED']) AS s (status)
			LEFT JOIN (
				SELECT status FROM payments.webhook_events WHERE received_at > $1::timestamptz - interval '1 hour'
				ORDER BY received_at DESC, stripe_event_id DESC LIMIT 20000
			) AS e ON e.status = s.status
			GROUP BY s.status`,
	},
	{
		Labels: []string{"status"},
		Gauges: []metrics.Gauge{
			{Name: "makegood_ledger_unfinished", Help: "Events that are not acknowledged, by status; WAITING is received, and waits for the end of a page of Stripe's."},
			{Name: "makegood_ledger_unfinished_seconds", Help: "How long ago the oldest of them was received; 0 when there is none."},
		},
		SQL: `SELECT s.status, count(e.status)::float8, coalesce(extract(epoch FROM $1::timestamptz - min(e.received_at)), 0)::float8
			FROM unnest(ARRAY['RECEIVED', 'FAILED', 'WAITING']) AS s (status)
			LEFT JOIN (
				SELECT CASE WHEN status = 'RECEIVED' AND waits_for[1] LIKE 'end/%' THEN 'WAITING' ELSE status END AS status, received_at
				FROM payments.webhook_events WHERE next_look_at IS NOT NULL
			) AS e ON e.status = s.status
			GROUP BY s.status`,
	},
	{
		Gauges: []metrics.Gauge{
			{Name: "makegood_ledger_body_months", Help: "Months of which the bodies of events are kept."},
			{Name: "makegood_ledger_bodies_walked_seconds", Help: "How long ago the last whole walk through the ledger ended, which moves bodies and drops months; 0 before the first."},
		},
		SQL: `SELECT (SELECT count(*) FROM pg_catalog.pg_inherits WHERE inhparent = 'payments.webhook_bodies'::regclass)::float8,
			coalesce(extract(epoch FROM $1::timestamptz - w.ended_at), 0)::float8 FROM payments.body_walk AS w`,
	},
	{
		Labels: []string{"status"},
		Gauges: []metrics.Gauge{
			{Name: "makegood_attempts_undecided", Help: "Attempts to pay whose outcome Stripe has not decided or we do not know, by status."},
			{Name: "makegood_attempts_undecided_seconds", Help: "How long ago the oldest of them began; 0 when there is none."},
		},
		SQL: `SELECT s.status, count(a.status)::float8, coalesce(extract(epoch FROM $1::timestamptz - min(a.created_at)), 0)::float8
			FROM unnest(ARRAY['OPEN', 'REQUIRES_ACTION', 'PROCESSING']) AS s (status)
			LEFT JOIN (SELECT status, created_at FROM payments.attempts WHERE next_look_at IS NOT NULL) AS a ON a.status = s.status
			GROUP BY s.status`,
	},
	{
		Labels: []string{"status"},
		Gauges: []metrics.Gauge{
			{Name: "makegood_refunds_waiting", Help: "Refunds that were asked for and not answered, by status."},
			{Name: "makegood_refunds_waiting_seconds", Help: "How long ago the oldest of them was asked for; 0 when there is none."},
		},
		SQL: `SELECT s.status, count(r.status)::float8, coalesce(extract(epoch FROM $1::timestamptz - min(r.created_at)), 0)::float8
			FROM unnest(ARRAY['REQUESTED', 'PENDING']) AS s (status)
			LEFT JOIN (SELECT status, created_at FROM payments.refunds WHERE next_look_at IS NOT NULL) AS r ON r.status = s.status
			GROUP BY s.status`,
	},
}
