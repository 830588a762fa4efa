package life

import (
	"fmt"
	"time"
)

// promise is what may be said about access at a moment: surely, and possibly.
// Between the two lies what depends on when the product looked.
type promise struct{ sure, possible bool }

func (p promise) allows(active bool) bool {
	return active && p.possible || !active && !p.sure
}

func (p promise) String() string {
	switch p {
	case promise{true, true}:
		return "access"
	case promise{false, false}:
		return "no access"
	default:
		return "either"
	}
}

// access is what a product promises that knows Stripe as of this view. heard says
// whether it must know of a refund.
func (v *view) access(now time.Time, grace time.Duration, heard func(term) bool) (p promise) {
	if v.status == "paused" {
		return p
	}
	for i, x := range v.terms {
		if v.ended() && !x.paidAt.After(v.over) {
			continue // what was paid when it was over is given all the same
		}
		sureEnd, possibleEnd := x.ends, x.ends
		if i == len(v.terms)-1 { // only the last term is extended
			switch {
			case v.status == active && v.renews:
				sureEnd, possibleEnd = x.ends.Add(grace), x.ends.Add(grace)
			case v.status == pastDue:
				// Grace counts from when it was first seen past due.
				seenBy := now
				if !v.knownBy.IsZero() {
					seenBy = v.knownBy
				}
				sureEnd, possibleEnd = later(x.ends, v.overdue.Add(grace)), later(x.ends, seenBy.Add(grace))
			}
		}
		began := !x.starts.After(now)
		refunded := !x.refundedAt.IsZero()
		if began && !refunded && now.Before(sureEnd.Add(-slack)) {
			p.sure = true
		}
		if began && (!refunded || !heard(x)) && now.Before(possibleEnd.Add(slack)) {
			p.possible = true
		}
	}
	return p
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// readBy is since when the product must have read Stripe, at this moment: by its
// daily look, by the look after a turn, or by an event.
func (s *Subscriber) readBy(now time.Time) time.Time {
	floor := now.Add(-lookAtLatest - slack)
	for _, turn := range s.truth.turns(now.Add(-slack)) {
		floor = later(floor, turn)
	}
	return later(floor, s.w.Heard(s.truth.sub.ID, tellingEvents...))
}

// tellingEvents are those after which Stripe is read.
var tellingEvents = []string{
	"customer.subscription.updated", "customer.subscription.deleted", "customer.subscription.paused", "customer.subscription.resumed",
	"invoice.paid", "invoice.payment_failed", "invoice.payment_action_required",
}

var refundEvents = []string{"charge.refunded", "refund.created", "charge.refund.updated", "refund.updated"}

// promised is what must be so now.
func (s *Subscriber) promised(now time.Time) promise {
	floor := s.readBy(now)
	heard := func(x term) bool { return s.w.Heard(x.charge, refundEvents...).After(x.refundedAt) }
	p := promise{sure: true}
	for i := range s.truth.views {
		v := &s.truth.views[i]
		if !v.since.After(floor) && v.knownBy.IsZero() {
			v.knownBy = now
		}
		if i+1 < len(s.truth.views) && s.truth.views[i+1].since.Before(floor) {
			continue // nobody may still believe this
		}
		one := v.access(now, s.grace, heard)
		p.sure, p.possible = p.sure && one.sure, p.possible || one.possible
	}
	return p
}

// judgeAccess asks as the SaaS does, and compares.
func (s *Subscriber) judgeAccess() {
	s.t.Helper()
	now := s.w.Clock.Now()
	want := s.promised(now)
	if s.account == "" && !s.findAccount() {
		if now.After(s.truth.views[0].since.Add(lookAtLatest)) {
			s.failf("nobody has an account a day after the first payment")
		}
		return
	}
	if got := s.w.Access(s.account); !want.allows(got.Active) {
		s.failf("access is %v until %v, want %s of %s", got.Active, got.AccessUntil, want, s.truth.latest())
	}
}

// String is for people who read a failed test.
func (v *view) String() string {
	text := fmt.Sprintf("a subscription that is %s (renews: %v, overdue since %v, known by %v)", v.status, v.renews, v.overdue, v.knownBy)
	for _, x := range v.terms {
		text += fmt.Sprintf("\n    %s %s paid %s for %s until %s", x.invoice, x.reason, x.paidAt.Format(stamp), x.starts.Format(stamp), x.ends.Format(stamp))
		if !x.refundedAt.IsZero() {
			text += ", refunded " + x.refundedAt.Format(stamp)
		}
	}
	return text
}

const stamp = "2006-01-02 15:04:05"
