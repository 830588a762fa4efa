package store

import "makegood.example/services/platform/metrics"

// Readings are the gauges of Provisioning.
var Readings = []metrics.Reading{{
	Gauges: []metrics.Gauge{
		{Name: "makegood_hooks_undelivered", Help: "Changes of access that the SaaS's own app has not taken, given up or not."},
		{Name: "makegood_hooks_undelivered_seconds", Help: "How long ago the oldest of them was; 0 when there is none."},
	},
	SQL: `SELECT count(*)::float8, coalesce(extract(epoch FROM $1::timestamptz - min(changed_at)), 0)::float8
		FROM provisioning.hooks
		WHERE state <> 'DELIVERED'`,
}}
