package life

import (
	"slices"
	"testing"
	"time"

	"makegood.example/deploy/internal/life"
	"makegood.example/deploy/internal/oneprocess"
)

// A payment and the end of its subscription leave the same behind, whether they
// are heard of one after the other or, Payments having been away, in one look.
func TestAPaymentAndTheEndAreTheSameStepByStepAndInOneLook(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens []func(*life.Subscriber)
		access  bool
	}{
		"paid after the end":      {[]func(*life.Subscriber){(*life.Subscriber).IsDeleted, paysLate}, true},
		"ended after it was paid": {[]func(*life.Subscriber){paysLate, (*life.Subscriber).IsDeleted}, false},
		"runs out at the end of the term": {[]func(*life.Subscriber){
			paysLate, func(s *life.Subscriber) { s.CancelsAtPeriodEnd(true) },
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var left [][]string
			for _, atOnce := range []bool{false, true} {
				w := world(t, oneprocess.Prompt, time.Time{})
				jane := life.Subscribe(t, w, "jane", monthly, visa)
				jane.GivesCard(declining)
				jane.LiveUntil(jane.TermEnd().Add(3 * day))
				if jane.Status() != "past_due" {
					t.Fatalf("Stripe says %s", jane.Status())
				}
				if atOnce {
					w.Stop("payments")
				}
				for _, happens := range c.happens {
					happens(jane)
					w.Advance(time.Hour, nil)
				}
				if atOnce {
					w.Start("payments")
				}
				w.Advance(2*day, nil)
				if a := w.Access(jane.Account()); a.Active != c.access {
					t.Errorf("at once %v: access is %+v", atOnce, a)
				}
				if cases := w.Cases(); len(cases) != 0 {
					t.Errorf("at once %v: cases %q", atOnce, cases)
				}
				w.Advance(35*day, nil) // the term is over
				if a := w.Access(jane.Account()); a.Active {
					t.Errorf("at once %v: a month later the access is %+v", atOnce, a)
				}
				left = append(left, terms(t, w, jane))
			}
			if !slices.Equal(left[0], left[1]) {
				t.Errorf("step by step it leaves\n%q\nand at once\n%q", left[0], left[1])
			}
		})
	}
}

func paysLate(s *life.Subscriber) { s.PaysWith(visa) }

// terms are the orders of a subscriber with the access of each, by their time.
func terms(t *testing.T, w *oneprocess.World, s *life.Subscriber) (all []string) {
	t.Helper()
	rows, err := w.DB.Query(t.Context(), `
		SELECT o.kind || ' ' || (g.ends_at - g.starts_at)::text || CASE WHEN g.ended_at IS NULL THEN '' ELSE ' ended' END
		FROM provisioning.grants g JOIN orders.orders o ON o.id = g.order_id
		WHERE g.account_id = $1 ORDER BY g.starts_at`, s.Account())
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil || len(all) != 2 {
		t.Fatalf("terms %q, %v", all, err)
	}
	return all
}
