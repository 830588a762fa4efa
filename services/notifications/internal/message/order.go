package message

import "time"

// Order is what is true of an order when its mail is written.
type Order struct {
	State string
	// Waits: nobody but us can do anything about it now.
	Waits bool
	// Reference is its buyer's key to its page.
	Reference string
	// Renewal: the order paid a further term of a subscription.
	Renewal bool
	// Renews: what was bought is charged again after each term.
	Renews bool
	Email  string
	// Erased: its buyer's address was erased, and nobody is written to about it.
	Erased        bool
	Name          string
	PlanName      string
	AmountDisplay string
	// NothingDue: it is paid, and Stripe asked for nothing.
	NothingDue     bool
	ReferenceShort string
	// RefundedMinor is what went back so far, in minor units; RefundedDisplay is
	// the same for people, empty for nothing.
	RefundedMinor   int64
	RefundedDisplay string
	// NetDisplay is what stays of the payment when a part of it went back, and empty
	// otherwise.
	NetDisplay string
	// Disputed: the buyer's bank wants the money back, or has it.
	Disputed bool
	// SecondOfTwo: an earlier payment of the same person for the same stands.
	SecondOfTwo bool
	// ChargedAt is when the payment arrived; zero while that is not known.
	ChargedAt time.Time
	// PromiseBy is by when its buyer was told that there is access; MissedBy is the
	// last such time that was not kept. Each zero when there is none.
	PromiseBy, MissedBy time.Time
	// RefundToken takes the refund that was offered, until RefundUntil; empty when
	// none was. RefundAsked: the buyer has taken it.
	RefundToken string
	RefundUntil time.Time
	RefundAsked bool
	// AccessUntil is zero while there is no access.
	AccessUntil time.Time
	// Subscription is what the order began or renewed; nil for a one-off, and
	// until it was first heard of.
	Subscription *Subscription
}

// AwaitsAccess says whether the order is paid and its buyer waits for access.
func (o Order) AwaitsAccess() bool {
	return (o.State == "CHARGED" || o.State == "ORPHANED") && !o.RefundAsked
}

// Stands says whether the order makes another of the same needless: it is paid, or
// being checked.
func (o Order) Stands() bool {
	switch o.State {
	case "CHARGED", "ORPHANED", "COMPLETE", "RECOVERED":
		return true
	}
	return o.State == "PENDING" && o.Waits
}

// Standing is how the order stands, in few words; no personal data.
func (o Order) Standing() string {
	text := "the order is " + o.State
	if s := o.Subscription; s != nil {
		text += ", its subscription " + string(s.Status)
		if s.Unpaid != nil {
			text += ", unpaid " + s.Unpaid.InvoiceID
		}
	}
	return text
}

// SubscriptionStatus is how a subscription stands at Stripe.
type SubscriptionStatus string

// The statuses; what each means is in the contract of Payments.
const (
	Active  SubscriptionStatus = "ACTIVE"
	PastDue SubscriptionStatus = "PAST_DUE"
	Paused  SubscriptionStatus = "PAUSED"
	Unpaid  SubscriptionStatus = "UNPAID"
	Ended   SubscriptionStatus = "ENDED"
)

// Subscription is how an order's subscription stood when it was last heard of.
type Subscription struct {
	ID     string
	Status SubscriptionStatus
	// Renews: Stripe will charge it again by itself.
	Renews bool
	// AccessUntil is until when it gives access, grace included; zero when that
	// is not known.
	AccessUntil time.Time
	// Unpaid is the renewal that Stripe could not collect; nil when there is none.
	Unpaid *UnpaidInvoice
}

// Collecting says whether Stripe could not collect a renewal.
func (s Subscription) Collecting() bool { return s.Status == PastDue || s.Status == Unpaid }

// WillRenew says whether a further term is charged by itself.
func (s Subscription) WillRenew() bool { return s.Renews && s.Status != Ended }

// Due is the renewal that its customer is asked to pay now; nil when there is
// none. What is over is not collected any more.
func (s Subscription) Due() *UnpaidInvoice {
	if s.Status == Ended {
		return nil
	}
	return s.Unpaid
}

// UnpaidInvoice is a renewal that waits for its customer.
type UnpaidInvoice struct {
	InvoiceID     string
	AmountDisplay string
	// HostedURL is a page of Stripe's on which it can be paid or confirmed.
	HostedURL string
	// ActionRequired: the bank asks the customer to confirm.
	ActionRequired bool
	// NextAttemptAt is when Stripe tries again by itself; zero when it will not.
	NextAttemptAt time.Time
}

// Refunded is one refund that the bank did not send back.
type Refunded struct {
	// Reference is Stripe's id.
	Reference     string
	AmountMinor   int64
	AmountDisplay string
}

// Link is how the buyer gets in.
type Link struct {
	URL string
	// Activation: it sets up a new account and works once, until ExpiresAt.
	Activation bool
	ExpiresAt  time.Time
}
