// Package life follows one subscriber through the years of a world and says at
// every moment what must be so. What must be so is derived from Stripe alone and
// from what is promised (grace, and how late we may learn of a change); nothing
// of the product's own records takes part in it.
package life

import (
	"slices"
	"time"

	"makegood.example/deploy/internal/oneprocess"
)

// What is promised of looks that need no event: a subscription is read at least
// daily, when Stripe has surely tried to collect a new term, and after each of
// its further tries.
const (
	lookAtLatest   = 24 * time.Hour
	collectedAfter = 90 * time.Minute
	triedAfter     = 10 * time.Minute
	// slack is how much later than promised a look may be, and how far from the
	// end of access its exact moment is not judged.
	slack = 2 * time.Minute
)

// term is a period that was paid.
type term struct {
	invoice, charge string
	reason          string // Stripe's: what the invoice is for
	starts, ends    time.Time
	paidAt          time.Time // when this was first seen here
	refundedAt      time.Time // when all of it had gone back; zero: never
}

// unpaid is a bill that Stripe could not collect.
type unpaid struct {
	invoice string
	asked   bool // the bank asks the customer; otherwise the charge failed
}

// view is how everything stood at Stripe from one moment on.
type view struct {
	since  time.Time
	status string
	renews bool
	terms  []term // by their end
	unpaid unpaid
	// overdue is since when the subscription is past due.
	overdue time.Time
	// over is since when the subscription is over; zero: it is not.
	over time.Time
	// knownBy is when the product had to know of it at the latest; zero: not yet.
	knownBy time.Time
	// turns are the moments after which Stripe must have been read.
	turns []time.Time
}

// truth is the history of views.
type truth struct {
	stripe *oneprocess.Stripe
	sub    oneprocess.Subscription
	views  []view
}

func (t *truth) latest() *view {
	if len(t.views) == 0 {
		return nil
	}
	return &t.views[len(t.views)-1]
}

// observe reads Stripe and notes what has changed. It says whether anything has.
func (t *truth) observe(now time.Time) bool {
	t.sub = t.stripe.Subscription(t.sub.ID)
	v := view{since: now, status: t.sub.Status, renews: renews(t.sub)}
	if v.status == "trialing" {
		v.status = active // it will be charged when the trial ends
	}
	before := t.latest()
	charges := map[string]oneprocess.Charge{}
	for _, c := range t.stripe.Charges(t.sub.Customer) {
		charges[c.ID] = c
	}
	for _, inv := range t.stripe.Invoices(t.sub.ID) {
		switch {
		case inv.Status == "paid":
			x := term{invoice: inv.ID, charge: inv.Charge, reason: inv.BillingReason, paidAt: now}
			x.starts, x.ends = inv.Period()
			if c := charges[inv.Charge]; c.AmountRefunded == c.Amount {
				x.refundedAt = now
			}
			v.terms = append(v.terms, before.known(x))
		case inv.ID == t.sub.LatestInvoice && inv.Status == "open" && (v.status == pastDue || v.status == "unpaid"):
			v.unpaid = unpaid{inv.ID, t.stripe.IntentStatus(inv.PaymentIntent) == "requires_action"}
			if inv.NextPaymentAttempt > 0 {
				v.turns = append(v.turns, time.Unix(inv.NextPaymentAttempt, 0).Add(triedAfter))
			}
		}
	}
	slices.SortFunc(v.terms, func(a, b term) int { return a.ends.Compare(b.ends) })
	for _, turn := range []int64{t.sub.CurrentPeriodStart, t.sub.CurrentPeriodEnd} {
		v.turns = append(v.turns, time.Unix(turn, 0).Add(collectedAfter))
	}
	if v.ended() {
		if v.over = now; before != nil && before.ended() {
			v.over = before.over
		}
	}
	if v.status == pastDue {
		if v.overdue = now; before != nil && before.status == pastDue {
			v.overdue = before.overdue
		}
	}
	if before != nil && before.same(v) {
		return false
	}
	t.views = append(t.views, v)
	return true
}

// turns are the moments until now after each of which Stripe must have been read:
// somebody who knew of the moment had it still before them when it came.
func (t *truth) turns(now time.Time) (past []time.Time) {
	for i, v := range t.views {
		for _, turn := range v.turns {
			if turn.After(now) || turn.Before(v.since) {
				continue
			}
			for _, later := range t.views[i+1:] {
				if later.since.Before(turn) && !slices.ContainsFunc(later.turns, turn.Equal) {
					turn = time.Time{}
					break
				}
			}
			if !v.knownBy.IsZero() && v.knownBy.Before(turn) {
				past = append(past, turn)
			}
		}
	}
	return past
}

// The states of a subscription by Stripe's names.
const (
	active  = "active"
	pastDue = "past_due"
)

func renews(s oneprocess.Subscription) bool {
	return !s.CancelAtPeriodEnd && s.CancelAt == 0 && s.PauseCollection == nil
}

// known keeps when things about a term were first seen.
func (v *view) known(x term) term {
	if v == nil {
		return x
	}
	for _, old := range v.terms {
		if old.invoice == x.invoice {
			x.paidAt = old.paidAt
			if !old.refundedAt.IsZero() {
				x.refundedAt = old.refundedAt
			}
		}
	}
	return x
}

func (v *view) same(o view) bool {
	return v.status == o.status && v.renews == o.renews && v.unpaid == o.unpaid && slices.Equal(v.terms, o.terms) && slices.EqualFunc(v.turns, o.turns, time.Time.Equal)
}

func (v *view) ended() bool {
	return v.status == "canceled" || v.status == "incomplete_expired" || v.status == "unpaid"
}
