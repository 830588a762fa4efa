package life

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/deploy/internal/oneprocess"
)

// Subscriber is somebody with one subscription.
type Subscriber struct {
	*oneprocess.Buyer
	// First is the order with which it began.
	First oneprocess.Order

	t       testing.TB
	w       *oneprocess.World
	grace   time.Duration
	account string
	truth   *truth
	seen    int // events of Stripe's when it was last read
	story   []string
	causes  causes
	refunds int
}

// Subscribe has somebody subscribe on Stripe's page.
func Subscribe(t testing.TB, w *oneprocess.World, name, plan, card string) *Subscriber {
	t.Helper()
	b := w.Buyer(name)
	return Of(t, w, b, b.Subscribes(plan, card))
}

// Of follows a buyer who has just paid the order of a subscription.
func Of(t testing.TB, w *oneprocess.World, b *oneprocess.Buyer, first oneprocess.Order) *Subscriber {
	t.Helper()
	s := &Subscriber{Buyer: b, First: first, t: t, w: w, grace: 7 * 24 * time.Hour, truth: &truth{stripe: w.Stripe}, causes: newCauses()}
	if set, ok := w.Setting("GRACE_PERIOD"); ok {
		var err error
		if s.grace, err = time.ParseDuration(set); err != nil {
			t.Fatal(err)
		}
	}
	customers := w.Stripe.Customers(b.Email)
	if len(customers) != 1 {
		t.Fatalf("%s has customers %v at Stripe, want one", b.Email, customers)
	}
	subs := w.Stripe.Subscriptions(customers[0])
	if len(subs) != 1 {
		t.Fatalf("%s has subscriptions %v at Stripe, want one", b.Email, subs)
	}
	s.truth.sub = subs[0]
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the life of %s:\n  %s", b.Email, strings.Join(s.story, "\n  "))
		}
	})
	s.tell("subscribes to %s", subs[0].ID)
	w.Settle()
	s.Watch()
	return s
}

// WasRefusedARepeat gives reason for one mail that says so, about an order that stood.
func (s *Subscriber) WasRefusedARepeat(order string) {
	s.causes.may[cause{"repeat_refused", order}] = true
}

// Live lets time pass. At every moment at which anything happens, once a day, and
// right before and after each time at which access might end, it is judged.
func (s *Subscriber) Live(d time.Duration) {
	s.t.Helper()
	s.w.Advance(d, s.Watch)
}

// LiveUntil is Live until a time.
func (s *Subscriber) LiveUntil(to time.Time) {
	s.t.Helper()
	s.w.AdvanceTo(to, s.Watch)
}

// Watch judges this moment.
func (s *Subscriber) Watch() {
	s.t.Helper()
	s.look()
	s.judgeAccess()
	s.causes.note(s.truth.latest(), s.w.Clock.Now())
}

// look reads Stripe when there may be something new.
func (s *Subscriber) look() {
	s.t.Helper()
	if n := s.w.Events(); n == s.seen && len(s.truth.views) > 0 {
		return
	} else {
		s.seen = n
	}
	if !s.truth.observe(s.w.EventsAt()) {
		return
	}
	v := s.truth.latest()
	s.tell("%s, renews: %v, %d terms paid", v.status, v.renews, len(v.terms))
	for _, end := range s.ends(v) {
		for _, around := range []time.Duration{-5 * time.Minute, 5 * time.Minute, 59 * time.Minute, collectedAfter + 2*slack} {
			s.w.Alarm(end.Add(around))
		}
	}
}

// ends are when access may end by a view.
func (s *Subscriber) ends(v *view) (at []time.Time) {
	if n := len(v.terms); n > 0 {
		at = append(at, v.terms[n-1].ends, v.terms[n-1].ends.Add(s.grace))
	}
	if !v.overdue.IsZero() {
		at = append(at, v.overdue.Add(s.grace))
	}
	return at
}

// TermEnd is the end of the last term that was paid.
func (s *Subscriber) TermEnd() time.Time {
	terms := s.truth.latest().terms
	return terms[len(terms)-1].ends
}

// TimeLeft is how long the last term that was paid goes on.
func (s *Subscriber) TimeLeft() time.Duration { return s.TermEnd().Sub(s.w.Clock.Now()) }

// Status is Stripe's.
func (s *Subscriber) Status() string { return s.truth.latest().status }

// Terms is how many were paid.
func (s *Subscriber) Terms() int { return len(s.truth.latest().terms) }

// Account holds the access; empty while there is none.
func (s *Subscriber) Account() string {
	if s.account == "" {
		s.findAccount()
	}
	return s.account
}

func (s *Subscriber) findAccount() bool {
	err := s.w.DB.QueryRow(s.t.Context(), "SELECT account_id::text FROM provisioning.grants WHERE order_id = $1", s.First.ID).Scan(&s.account)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		s.t.Fatal(err)
	}
	return err == nil
}

func (s *Subscriber) tell(format string, args ...any) {
	s.story = append(s.story, s.w.Clock.Now().Format(stamp)+" "+fmt.Sprintf(format, args...))
}

// failf ends the test at the first thing that is wrong: what follows would only
// repeat it.
func (s *Subscriber) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s, %s: %s", s.w.Clock.Now().Format(stamp), s.Email, fmt.Sprintf(format, args...))
}
