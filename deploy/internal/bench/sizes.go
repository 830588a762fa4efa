package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"makegood.example/deploy/internal/stack"
)

// sizes tells what a purchase leaves in the database for good, and what each event
// of Stripe's does: tables and indexes of a long history, by its purchases. Jobs, which
// are there for a day, and runs, which are not a purchase's, are left out.
func (b *bench) sizes(ctx context.Context, s *stack.Stack) error {
	rows, err := s.DB().Query(ctx, `SELECT CASE relname WHEN 'webhook_events' THEN 'an event' ELSE schemaname END,
			sum(pg_table_size(relid))::bigint, sum(pg_indexes_size(relid))::bigint, sum(n_live_tup)::bigint
		FROM pg_stat_user_tables WHERE relname NOT LIKE 'river%' AND relname <> 'runs' AND schemaname <> 'bench' GROUP BY 1 ORDER BY 1`)
	if err != nil {
		return err
	}
	type kept struct {
		Of                    string
		Tables, Indexes, Rows int64
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[kept])
	if err != nil {
		return err
	}
	var body float64
	if err := s.DB().QueryRow(ctx, "SELECT avg(pg_column_size(payload)) FROM payments.webhook_events WHERE payload IS NOT NULL").Scan(&body); err != nil {
		return err
	}
	var purchase, event, events float64 // events: of one purchase
	var parts []string
	for _, k := range all {
		each := float64(k.Tables+k.Indexes) / float64(b.scale.purchases)
		if k.Of == "an event" {
			events = float64(k.Rows) / float64(b.scale.purchases)
			event = each / events
			continue
		}
		purchase += each
		parts = append(parts, fmt.Sprintf("%s %.1f kB in %.1f rows", k.Of, each/1000, float64(k.Rows)/float64(b.scale.purchases)))
	}
	whole := purchase + events*(event-body)
	b.report.figure("kept of a purchase, tables and indexes: %.1f kB without its events (%s)", purchase/1000, strings.Join(parts, ", "))
	b.report.figure("kept of an event: %.1f kB, and its body of %.1f kB; so %.0f GB for a million purchases of %.0f events, and %.0f GB of bodies while they are kept",
		(event-body)/1000, body/1000, whole*1e6/1e9, events, events*body*1e6/1e9)
	b.say("  kept of a purchase %.1f kB, of an event %.1f kB and a body of %.1f kB", purchase/1000, (event-body)/1000, body/1000)
	return nil
}
