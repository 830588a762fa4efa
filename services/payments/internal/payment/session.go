package payment

import (
	"fmt"
	"time"
)

// Session is a Checkout Session: a page of Stripe's where the buyer pays.
type Session struct {
	ID string
	// Status in Stripe's words: open, complete, expired.
	Status     string
	URL        string
	CustomerID string
	// ExpiresAt is when Stripe closes it by itself.
	ExpiresAt time.Time
	// Intent is whole when the session was read with it; without an id there is
	// none yet, or nothing is due.
	Intent Intent
}

// Stripe's words for a session.
const (
	SessionOpen     = "open"
	SessionComplete = "complete"
	SessionExpired  = "expired"
)

// SessionKey is Stripe's idempotency key for creating the session.
func (p Payment) SessionKey() string { return fmt.Sprintf("checkout-session/%s/%d", p.ID, p.CreateTry) }

// Settled says whether the page is done with what is to be paid: there is an
// intent for it, or nothing is due.
func (s Session) Settled() bool {
	return s.Status != SessionOpen && (s.Intent.ID != "" || s.Intent.IsNothingDue())
}

// PageEnd is the name for which money beside an order's page waits: empty while
// there is no page, or it is still open.
func (p Payment) PageEnd() string {
	if p.SessionID == "" || p.Status == Creating || p.Status == RequiresAction && p.IntentID == "" {
		return ""
	}
	return EndOfPage(p.SessionID)
}

// EndOfPage names the end of a session's page.
func EndOfPage(sessionID string) string { return "end/" + sessionID }

// Uncharged says whether the buyer finished the page, and what is due is neither
// charged nor about to be.
func (s Session) Uncharged() bool { return s.Status == SessionComplete && !s.Settled() }

// LearnSession takes over what Stripe says of a session that has no paid intent:
// the buyer is on its page, or it is over. One that is finished without a charge
// waits, and is not to be paid again: a person decides, or its next term is charged.
func (p *Payment) LearnSession(s Session, attempts []Attempt, now time.Time) {
	// A page that is over stays so: what says that it is open was read before.
	if p.Status == Succeeded || p.Status == Canceled && s.Status == SessionOpen {
		return
	}
	var last *Attempt
	if n := len(attempts); n > 0 && !attempts[n-1].Status.Decided() {
		last = &attempts[n-1]
	}
	switch s.Status {
	case SessionOpen:
		p.Status, p.RedirectURL = RequiresAction, s.URL
		await(last, AwaitsBuyer)
	case SessionComplete:
		p.Status, p.RedirectURL = Processing, ""
		await(last, AwaitsBank)
	case SessionExpired:
		p.Status, p.RedirectURL = Canceled, ""
		decide(last, AttemptCanceled, now)
	}
}
