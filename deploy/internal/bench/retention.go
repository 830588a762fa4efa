package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"makegood.example/deploy/internal/stack"
)

// walkFor is how long a walk through a long ledger is watched: a service walks for a
// part of each minute only.
const walkFor = time.Minute

// retention has the bodies of old events leave the ledger, which a service does by
// itself once a day, and times the sweeps that run meanwhile. Then one body is looked
// up: in its month only.
func (b *bench) retention(ctx context.Context, s *stack.Stack) error {
	if _, err := s.DB().Exec(ctx, "UPDATE payments.body_walk SET look_again_at = '2000-01-01 00:00:00+00', ended_at = NULL"); err != nil {
		return err
	}
	began := time.Now()
	if err := s.Restart("payments"); err != nil { // it looks at once when it starts
		return err
	}
	if err := s.WaitReady(ctx); err != nil {
		return err
	}
	var meanwhile []time.Duration
	for ended := false; !ended && time.Since(began) < walkFor; {
		took, err := sweep(ctx, s)
		if err != nil {
			return err
		}
		meanwhile = append(meanwhile, took)
		if err := s.DB().QueryRow(ctx, "SELECT ended_at IS NOT NULL FROM payments.body_walk").Scan(&ended); err != nil {
			return err
		}
	}
	// What is left stays: sweeps are compared without a walk beside them.
	if _, err := s.DB().Exec(ctx, "UPDATE payments.body_walk SET look_again_at = '2100-01-01 00:00:00+00'"); err != nil {
		return err
	}
	lasted := time.Since(began).Round(100 * time.Millisecond)
	var events, without, kept, months int
	err := s.DB().QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE payload IS NULL), (SELECT count(*) FROM payments.webhook_bodies),
		(SELECT count(*) FROM pg_inherits WHERE inhparent = 'payments.webhook_bodies'::regclass) FROM payments.webhook_events`).Scan(&events, &without, &kept, &months)
	if err != nil {
		return err
	}
	if without == 0 {
		return fmt.Errorf("none of %d events has lost its body", events)
	}
	slices.Sort(meanwhile)
	b.say("  of %d events %d lost their bodies, %d of which are kept by the month, in %s", events, without, kept, lasted)
	b.report.goal(fmt.Sprintf("bodies that left a ledger of %d events", events), "", "%d in %s, %d of them kept in %d months", without, lasted, kept, months)
	b.report.goal("a sweep's time meanwhile", "", "%.0f ms (%d sweeps, the longest %.0f ms)", ms(meanwhile[len(meanwhile)/2]), len(meanwhile), ms(meanwhile[len(meanwhile)-1]))
	if err := b.pruned(ctx, s, months); err != nil {
		return err
	}
	return tidy(ctx, s)
}

// pruned asks PostgreSQL in which months it looks for the body of an event.
func (b *bench) pruned(ctx context.Context, s *stack.Stack, months int) error {
	var id string
	var at time.Time
	if err := s.DB().QueryRow(ctx, "SELECT stripe_event_id, received_at FROM payments.webhook_bodies ORDER BY received_at LIMIT 1").Scan(&id, &at); err != nil {
		return err
	}
	var plan string
	err := s.DB().QueryRow(ctx, "EXPLAIN (FORMAT JSON) SELECT body FROM payments.webhook_bodies WHERE received_at = $1 AND stripe_event_id = $2", at, id).Scan(&plan)
	if err != nil {
		return err
	}
	b.report.goal(fmt.Sprintf("months in which one body is looked for, of %d", months), "1", "%d", strings.Count(plan, `"Relation Name": "webhook_bodies_`))
	return nil
}
