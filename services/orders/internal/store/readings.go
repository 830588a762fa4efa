package store

import "makegood.example/services/platform/metrics"

// Readings are the gauges of Orders. All but the switch are read from the index
// of what is not at rest.
var Readings = []metrics.Reading{
	metrics.Due(metrics.Look{Work: "orders", Table: "orders.orders"}),
	{
		Labels: []string{"state"},
		Gauges: []metrics.Gauge{
			{Name: "makegood_orders_not_at_rest", Help: "Orders that are not at rest, by state; a fulfilled or refunded one waits for its access to be put right."},
			{Name: "makegood_orders_no_progress_seconds", Help: "How long the order that waits longest has made no progress, by state; 0 when none waits."},
		},
		SQL: `SELECT s.state, count(o.id)::float8, coalesce(extract(epoch FROM $1::timestamptz - min(o.last_progress_at)), 0)::float8
			FROM unnest(ARRAY['PENDING', 'CHARGED', 'ORPHANED', 'COMPLETE', 'RECOVERED', 'REFUNDED']) AS s (state)
			LEFT JOIN (SELECT id, state, last_progress_at FROM orders.orders WHERE next_look_at IS NOT NULL) AS o ON o.state = s.state
			GROUP BY s.state`,
	},
	{
		Gauges: []metrics.Gauge{
			{Name: "makegood_orders_paid_without_access", Help: "Orders that are paid and whose access is not granted yet."},
			{Name: "makegood_orders_paid_without_access_seconds", Help: "How long ago Stripe took the money of the one that waits longest; 0 when none waits."},
		},
		SQL: `SELECT count(*)::float8, coalesce(extract(epoch FROM $1::timestamptz - min(charged_at)), 0)::float8
			FROM orders.orders WHERE next_look_at IS NOT NULL AND state IN ('CHARGED', 'ORPHANED')`,
	},
	{
		Gauges: []metrics.Gauge{{Name: "makegood_charging_paused", Help: "1 while the kill switch stops new charges, else 0."}},
		SQL:    `SELECT coalesce((SELECT paused::int FROM orders.charging_switch ORDER BY id DESC LIMIT 1), 0)::float8`,
	},
}
