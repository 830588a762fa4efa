package order

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// PaymentStatus is what Payments said last about the money.
type PaymentStatus string

// The statuses, as Payments names them.
const (
	// Unknown: no definite word. Never the same as not charged.
	Unknown               PaymentStatus = "UNKNOWN"
	RequiresPaymentMethod PaymentStatus = "REQUIRES_PAYMENT_METHOD"
	RequiresAction        PaymentStatus = "REQUIRES_ACTION"
	Processing            PaymentStatus = "PROCESSING"
	Succeeded             PaymentStatus = "SUCCEEDED"
	PaymentCanceled       PaymentStatus = "CANCELED"
)

// Money is what Payments knows of an order's payment.
type Money struct {
	Status          PaymentStatus
	PaymentIntentID string
	ChargeID        string
	CustomerID      string
	AmountMinor     int64
	Currency        string
	// AskedMinor is what Stripe's page or invoice asked for; 0 when it was asked for
	// the order's amount.
	AskedMinor int64
	ChargedAt  time.Time
	// RefundedMinor is what went back so far.
	RefundedMinor int64
	Dispute       Dispute
	Decline       PaymentError
	ClientSecret  string
	RedirectURL   string
	// AttemptID is the attempt that everything but Succeeded speaks of.
	AttemptID uuid.UUID
	// Term is which term of a subscription was paid; nil for a one-off.
	Term *Term
}

// Term is one paid period of a subscription.
type Term struct {
	SubscriptionID string
	Start, End     time.Time
}

// Concerns says whether the word is about the order as it stands: money that
// arrived always is, anything else only if it is about the last submission.
func (m Money) Concerns(o Order) bool {
	return m.Status == Succeeded || m.AttemptID == uuid.Nil || m.AttemptID == o.AttemptID
}

// Step is what to ask of Payments for an order that is not known to be paid.
type Step string

// The steps.
const (
	// Charge: drive the attempt; only this can move money.
	Charge Step = "charge"
	// Look: read what Stripe says.
	Look Step = "look"
	// Cancel: make sure that it can no longer be charged.
	Cancel Step = "cancel"
)

// Circumstances are the facts outside the order on which its next step depends.
type Circumstances struct {
	Now time.Time
	// ChargeWithin is how long after the buyer's last submission a charge may
	// still begin: nobody is charged who has left.
	ChargeWithin time.Duration
	// ExpiresAfter is how long an order waits for its buyer, from when they were
	// last here.
	ExpiresAfter time.Duration
	// Paused: new charges are switched off.
	Paused bool
	// ReadOnly: whoever asks may look and cancel, and must not charge.
	ReadOnly bool
	// PaidSince: the buyer has since paid another order for the same.
	PaidSince bool
}

// NextStep decides what to ask of Payments.
func (o Order) NextStep(c Circumstances) Step {
	switch {
	case o.Held():
		return Look // what became of it, until a person has decided
	case o.State != Pending:
		// Decided as unpaid before; whether money came all the same, only Stripe knows.
		return Look
	case o.PaymentStatus == Processing:
		return Look // the bank decides; it never expires
	case c.PaidSince:
		return Cancel
	case o.WaitsForBuyer() && c.Now.Sub(o.SubmittedAt) >= c.ExpiresAfter:
		return Cancel
	case o.WaitsForBuyer():
		return Look
	case c.Now.After(o.ChargeBy(c.ChargeWithin)):
		return Cancel
	case c.Paused || c.ReadOnly:
		return Look
	default:
		return Charge
	}
}

// ChargeBy is the last moment at which a charge may begin.
func (o Order) ChargeBy(within time.Duration) time.Time { return o.SubmittedAt.Add(within) }

// WaitsForBuyer says whether nothing happens until the buyer acts in the browser.
func (o Order) WaitsForBuyer() bool {
	return o.State == Pending && (o.PaymentStatus == RequiresAction || o.PaymentStatus == RequiresPaymentMethod)
}

// Waits says whether the order is where it should be although it is not at
// rest: waiting for its buyer or for the bank, it is not stuck.
func (o Order) Waits() bool {
	return o.WaitsForBuyer() || o.Held() || o.State == Pending && o.PaymentStatus == Processing
}

// Held says whether money arrived that is not what was asked for: nothing is given
// for it until a person has decided.
func (o Order) Held() bool { return o.State == Pending && o.PaymentStatus == Succeeded }

// Event is what the money means for the order; false when it is no news.
func (m Money) Event() (Event, bool) {
	switch m.Status {
	case Succeeded:
		return Paid, true
	case PaymentCanceled:
		return Canceled, true
	case RequiresPaymentMethod:
		return Declined, m.Decline.Code != ""
	default:
		return "", false
	}
}

// WentBack says whether all of the money that arrived was refunded.
func (m Money) WentBack() bool { return m.AmountMinor > 0 && m.RefundedMinor >= m.AmountMinor }

// NothingDue says whether Stripe's page or invoice asked for nothing: it is paid,
// without a charge.
func (m Money) NothingDue() bool { return m.Status == Succeeded && m.ChargeID == "" }

// Matches says whether the money that arrived is what was asked for: by the order,
// or by Stripe's page on which it is paid, where a coupon, tax or credit counts.
func (m Money) Matches(o Order) bool {
	byPage := o.Checkout == Hosted && m.AmountMinor == m.AskedMinor && (m.AskedMinor > 0 || m.NothingDue())
	return (m.AmountMinor == o.AmountMinor || byPage) && m.Currency == o.Currency
}

// Arrived says what Stripe said, for the history.
func (m Money) Arrived() string {
	if m.NothingDue() {
		return "Stripe asked for nothing, and settled it without a charge"
	}
	return fmt.Sprintf("Stripe confirmed %s (%s)", Display(m.AmountMinor, m.Currency), m.ChargeID)
}

// AmountIsOpen says whether Stripe's page may yet turn out to have asked for
// another amount than the order.
func (o Order) AmountIsOpen() bool {
	return o.Checkout == Hosted && !o.State.Paid() && o.PaymentStatus != Succeeded
}

// FulfilledAt says whether access at now is in time or late: an apology is due
// only for a delay that the buyer could notice.
func (o Order) FulfilledAt(now time.Time, apologyAfter time.Duration) Event {
	if o.State == Orphaned || o.ChargedAt != nil && now.Sub(*o.ChargedAt) > apologyAfter {
		return FulfilledLate
	}
	return Fulfilled
}

// LearnTerm takes over which term of a subscription the money paid.
func (o *Order) LearnTerm(t *Term) {
	if t != nil {
		o.SubscriptionID, o.PeriodStart, o.PeriodEnd = t.SubscriptionID, &t.Start, &t.End
	}
}

// Learn takes over what Payments said, apart from what a change of state brings.
func (o *Order) Learn(m Money) {
	o.PaymentStatus = m.Status
	o.ClientSecret, o.RedirectURL = m.ClientSecret, m.RedirectURL
	o.RefundedMinor, o.Dispute = m.RefundedMinor, m.Dispute
	if m.PaymentIntentID != "" {
		o.PaymentIntentID = m.PaymentIntentID
	}
}
