package life

import (
	"net/url"
	"strconv"
	"time"
)

// After each of these the world has settled: what was delivered at once has had
// its effect.

// GivesCard replaces the card that the next renewal is charged to.
func (s *Subscriber) GivesCard(card string) {
	s.t.Helper()
	s.tell("gives %s", card)
	s.w.Stripe.GiveCard(s.truth.sub, card)
	s.done()
}

// PaysWith pays the open invoice on its page.
func (s *Subscriber) PaysWith(card string) {
	s.t.Helper()
	s.tell("pays %s with %s", s.truth.sub.LatestInvoice, card)
	s.w.Stripe.PayInvoice(s.truth.sub.LatestInvoice, card)
	s.done()
}

// Authenticates at the bank what the open invoice asks for.
func (s *Subscriber) Authenticates() {
	s.t.Helper()
	s.tell("authenticates %s", s.truth.sub.LatestInvoice)
	for _, inv := range s.w.Stripe.Invoices(s.truth.sub.ID) {
		if inv.ID == s.truth.sub.LatestInvoice {
			s.w.Stripe.Authenticate(inv.PaymentIntent)
		}
	}
	s.done()
}

// CancelsAtPeriodEnd lets the subscription run out, or takes that back.
func (s *Subscriber) CancelsAtPeriodEnd(yes bool) {
	s.t.Helper()
	s.tell("cancels at the end of the term: %v", yes)
	s.w.Stripe.Change(s.truth.sub.ID, "cancel_at_period_end", strconv.FormatBool(yes))
	s.done()
}

// StopsCollection pauses the collection of renewals, or resumes it.
func (s *Subscriber) StopsCollection(yes bool) {
	s.t.Helper()
	s.tell("collection is stopped: %v", yes)
	if yes {
		s.w.Stripe.Change(s.truth.sub.ID, "pause_collection[behavior]", "void")
	} else {
		s.w.Stripe.Change(s.truth.sub.ID, "pause_collection", "")
	}
	s.done()
}

// WillPauseAt has Stripe itself pause the subscription then: a trial ends, and
// there is no card.
func (s *Subscriber) WillPauseAt(at time.Time) {
	s.t.Helper()
	s.tell("will pause at %s", at.Format(stamp))
	s.w.Stripe.Post("/v1/subscriptions/"+s.truth.sub.ID, url.Values{
		"trial_end": {strconv.FormatInt(at.Unix(), 10)}, "trial_settings[end_behavior][missing_payment_method]": {"pause"},
		"default_payment_method": {""},
	}, nil)
	s.done()
}

// ResumesWith gives a card to a paused subscription and has Stripe bill it anew.
func (s *Subscriber) ResumesWith(card string) {
	s.t.Helper()
	s.tell("resumes with %s", card)
	s.w.Stripe.GiveCard(s.truth.sub, card)
	s.w.Stripe.Post("/v1/subscriptions/"+s.truth.sub.ID+"/resume", nil, nil)
	s.done()
}

// SeesRestart restarts one of the services.
func (s *Subscriber) SeesRestart(service string) {
	s.t.Helper()
	s.tell("%s restarts", service)
	s.w.Restart(service)
	s.done()
}

// IsDeleted ends the subscription now.
func (s *Subscriber) IsDeleted() {
	s.t.Helper()
	s.tell("the subscription is deleted")
	s.w.Stripe.Cancel(s.truth.sub.ID)
	s.done()
}

// IsRefunded gives the last paid term back in the dashboard: a part of it in
// minor units, or all of it for 0.
func (s *Subscriber) IsRefunded(part int64) {
	s.t.Helper()
	terms := s.truth.latest().terms
	charge := terms[len(terms)-1].charge
	s.tell("%s is refunded: %d", charge, part)
	amount := ""
	if part > 0 {
		amount = strconv.FormatInt(part, 10)
	}
	s.w.Stripe.Refund(charge, amount)
	s.refunds++
	s.done()
}

func (s *Subscriber) done() {
	s.t.Helper()
	s.w.Settle()
	s.Watch()
}

// Standing is what can be done with a subscription.
type Standing string

// The standings. A subscription that is over, and one whose last term was given
// back, has none.
const (
	Renewing Standing = "it will be renewed"
	Ending   Standing = "it will run out"
	Stopped  Standing = "nothing is collected for it"
	Asked    Standing = "the bank asks for the open invoice"
	Unpaid   Standing = "the open invoice was declined"
)

// Standing is how the subscription stands.
func (s *Subscriber) Standing() Standing {
	v := s.truth.latest()
	switch {
	case v.status == "canceled":
		return ""
	case v.unpaid.asked:
		return Asked
	case v.unpaid.invoice != "":
		return Unpaid
	case s.truth.sub.PauseCollection != nil:
		return Stopped
	case !v.renews:
		return Ending
	case !v.terms[len(v.terms)-1].refundedAt.IsZero():
		return ""
	default:
		return Renewing
	}
}
