package judge

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// unfinished tells in lines what is not at rest. A subscription that runs is at
// rest: it will be looked at again for years.
const unfinished = `
SELECT 'order ' || id || ' is ' || state || ', looked at ' || look_count || ' times' FROM orders.orders WHERE next_look_at IS NOT NULL
UNION ALL SELECT 'attempt ' || id || ' of order ' || order_id || ' is ' || status FROM payments.attempts WHERE next_look_at IS NOT NULL
UNION ALL SELECT 'refund ' || id || ' of order ' || order_id || ' is ' || status FROM payments.refunds WHERE next_look_at IS NOT NULL
UNION ALL SELECT 'event ' || stripe_event_id || ' (' || type || ') is ' || status || ': ' || coalesce(last_error, '') FROM payments.webhook_events WHERE next_look_at IS NOT NULL
UNION ALL SELECT 'message ' || dedupe_key || ' is ' || state || ': ' || last_error FROM notifications.messages WHERE state IN ('QUEUED', 'SENDING')`

// Unfinished lists what is under way: in the tables, among the jobs, and among
// Stripe's webhooks. Nothing means that nothing more will happen by itself, and that no
// job was discarded, as if what it was to do had been done.
func Unfinished(ctx context.Context, s Sources) ([]string, error) {
	// Whoever has jobs has them in a table of this name.
	rows, err := s.DB.Query(ctx, `SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'river_job' AND relkind = 'r' ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	sql := unfinished
	for _, schema := range schemas {
		sql += fmt.Sprintf(` UNION ALL SELECT '%[1]s job ' || id || ' (' || kind || ') is ' || state FROM %[1]s.river_job WHERE state NOT IN ('completed', 'cancelled')`, schema)
	}
	if rows, err = s.DB.Query(ctx, sql); err != nil {
		return nil, err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	var hooks struct {
		Settings   struct{ Paused bool }
		Deliveries []delivery
	}
	if err := fetch(ctx, s.StripeURL+"/_sim/webhooks", &hooks); err != nil {
		return nil, err
	}
	for _, d := range hooks.Deliveries {
		if d.State == "pending" && !hooks.Settings.Paused {
			lines = append(lines, fmt.Sprintf("event %s (%s) is not acknowledged: %d", d.EventID, d.EventType, d.LastStatus))
		}
	}
	return lines, nil
}

// StrandedBy is the finding about what did not come to rest in time.
func StrandedBy(lines []string, after fmt.Stringer) []Finding {
	var findings []Finding
	for _, line := range lines {
		words := strings.Fields(line)
		findings = append(findings, Finding{Stranded, strings.Join(words[:min(2, len(words))], " "), line + " (after " + after.String() + ")"})
	}
	return findings
}
