package store

import "makegood.example/services/platform/metrics"

// Readings are the gauges of Notifications. Messages that wait are found by
// their jobs, of which there are few, and not among all that were ever sent.
var Readings = []metrics.Reading{
	{
		Labels: []string{"state"},
		Gauges: []metrics.Gauge{
			{Name: "makegood_messages_waiting", Help: "Messages that are accepted and not delivered yet, by state."},
			{Name: "makegood_messages_waiting_seconds", Help: "How long ago the oldest of them was accepted; 0 when there is none."},
		},
		SQL: `SELECT s.state, count(m.id)::float8, coalesce(extract(epoch FROM $1::timestamptz - min(m.created_at)), 0)::float8
			FROM unnest(ARRAY['QUEUED', 'SENDING']) AS s (state)
			LEFT JOIN (
				SELECT id, state, created_at FROM notifications.messages WHERE id IN (
					SELECT (args ->> 'message_id')::uuid FROM notifications.river_job
					WHERE kind = 'deliver_message' AND state IN ('available', 'running', 'retryable', 'scheduled')
				)
			) AS m ON m.state = s.state
			GROUP BY s.state`,
	},
	{
		Gauges: []metrics.Gauge{{Name: "makegood_mail_server_failing_seconds", Help: "Since when the mail server cannot be used; 0 while it can."}},
		SQL:    `SELECT coalesce((SELECT extract(epoch FROM $1::timestamptz - failing_since) FROM notifications.mail_server), 0)::float8`,
	},
	{
		Labels: []string{"tier"},
		Gauges: []metrics.Gauge{{Name: "makegood_incidents_open", Help: "Problems that the team was told of, or will be, and that are not over, by tier."}},
		SQL: `SELECT t.tier, count(i.id)::float8
			FROM unnest(ARRAY['PAGE_NOW', 'SAME_DAY']) AS t (tier)
			LEFT JOIN (SELECT id, tier FROM notifications.incidents WHERE resolved_at IS NULL) AS i ON i.tier = t.tier
			GROUP BY t.tier`,
	},
	{
		Gauges: []metrics.Gauge{
			{Name: "makegood_alert_channels_failing", Help: "Channels by which the team cannot be told: Slack, a webhook, an address."},
			{Name: "makegood_alerts_failing", Help: "Incidents that a channel could not be told of yet, for each channel."},
			{Name: "makegood_alerts_failing_seconds", Help: "How long ago there was something to tell that the oldest of them does not know; 0 when there is none."},
		},
		SQL: `SELECT (SELECT count(*) FROM notifications.failing_channels)::float8, count(*)::float8,
				coalesce(extract(epoch FROM $1::timestamptz - min(i.news_at)), 0)::float8
			FROM notifications.incident_channels AS c
			JOIN notifications.incidents AS i ON i.id = c.incident_id
			WHERE c.next_look_at IS NOT NULL AND c.failures > 0`,
	},
	{
		Gauges: []metrics.Gauge{
			{Name: "makegood_deadman_stopped", Help: "1 while the watch over reconciliation says that it stopped, else 0."},
			{Name: "makegood_deadman_late_seconds", Help: "How late the watch itself is with its next look; 0 when it is in time."},
			{Name: "makegood_deadman_run_seconds", Help: "How long ago the last successful run was that the watch saw."},
		},
		SQL: `SELECT (stopped_since IS NOT NULL)::int::float8,
				CASE WHEN looked_at IS NULL THEN 0 ELSE greatest(extract(epoch FROM $1::timestamptz - look_again_at), 0) END::float8,
				extract(epoch FROM $1::timestamptz - worked_at)::float8
			FROM notifications.watch`,
	},
}
