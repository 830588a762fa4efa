package payment

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// ErrHostedOnly says that a subscription is bought on a page of Stripe's.
var ErrHostedOnly = apperr.New(codes.InvalidArgument, "INVALID_ARGUMENT", "hosted must be set when renews_months is: a subscription is bought on Stripe's page")

// Term is one paid period of a subscription; the zero Term is none.
type Term struct {
	SubscriptionID string
	InvoiceID      string
	Start          time.Time
	End            time.Time
}

// orders is the namespace in which Orders derives an order's id from its reference.
var orders = uuid.MustParse("6f1d5f7e-6a3c-5d0e-9c36-0b8f2f2f6a51")

// OrderOf is the id and the reference of the order that an invoice pays, when no
// buyer placed one. They are the same over restored databases.
func OrderOf(invoiceID string) (id, reference uuid.UUID) {
	return orderOf("invoice/" + invoiceID)
}

// OrderOfCharge is the same for a charge that names no order.
func OrderOfCharge(chargeID string) (id, reference uuid.UUID) { return orderOf("charge/" + chargeID) }

func orderOf(name string) (id, reference uuid.UUID) {
	reference = uuid.NewSHA1(orders, []byte(name))
	return OrderOfReference(reference), reference
}

// OrderOfReference is the id that an order with this reference has.
func OrderOfReference(reference uuid.UUID) uuid.UUID { return uuid.NewSHA1(orders, reference[:]) }

// SubscriptionStatus is how a subscription stands.
type SubscriptionStatus string

// The subscription statuses.
const (
	Active  SubscriptionStatus = "ACTIVE"
	PastDue SubscriptionStatus = "PAST_DUE"
	Paused  SubscriptionStatus = "PAUSED"
	// Unpaid: Stripe has given up charging it; it can still be paid.
	Unpaid SubscriptionStatus = "UNPAID"
	Ended  SubscriptionStatus = "ENDED"
)

// SubscriptionNow is a subscription as Stripe shows it.
type SubscriptionNow struct {
	ID         string
	CustomerID string
	Metadata   map[string]string
	// PlanID is what the subscription, or its price, says that it is for.
	PlanID string
	// Status in Stripe's words.
	Status      string
	PeriodStart time.Time
	PeriodEnd   time.Time
	// CancelAt is when it is to end; zero when it is not.
	CancelAt time.Time
	// EndedAt is when it ended; zero when it has not.
	EndedAt time.Time
	// CollectionPaused: its invoices are not collected until it is resumed.
	CollectionPaused bool
}

func (n SubscriptionNow) stands() SubscriptionStatus {
	switch n.Status {
	case "past_due":
		return PastDue
	case "paused":
		return Paused
	case "unpaid":
		return Unpaid
	case "canceled", "incomplete_expired":
		return Ended
	default: // active, trialing; incomplete is over once the first invoice is paid
		return Active
	}
}

// renews says whether Stripe will charge it again by itself.
func (n SubscriptionNow) renews() bool {
	s := n.stands()
	return (s == Active || s == PastDue) && !n.CollectionPaused && (n.CancelAt.IsZero() || n.CancelAt.After(n.PeriodEnd))
}

// Invoice is a subscription's invoice as Stripe shows it.
type Invoice struct {
	ID             string
	SubscriptionID string
	// Status in Stripe's words: draft, open, paid, uncollectible, void.
	Status string
	// Attempted: Stripe has tried to collect it.
	Attempted bool
	// Term is what the invoice pays for; zero when it is no whole period.
	Term Term
	// Intent is the one that pays it, whole, with its Term; it may be missing.
	Intent Intent
	// DueMinor is what is still asked for, in minor units of Currency.
	DueMinor      int64
	Currency      string // upper case
	HostedURL     string
	NextAttemptAt *time.Time
	CreatedAt     time.Time
}

// Paid says whether it is settled in the seller's favour, with or without a charge.
func (i Invoice) Paid() bool { return i.Status == "paid" }

// Settled says whether a charge paid it, or Stripe asked for nothing.
func (i Invoice) Settled() bool { return i.Charged() || i.Paid() && i.Intent.IsNothingDue() }

// Charged says whether a charge paid it.
func (i Invoice) Charged() bool {
	return i.Paid() && i.Intent.Status == StripeSucceeded && i.Intent.Charge.ID != ""
}

// settled says whether nothing more can become of it.
func (i Invoice) settled() bool { return i.Paid() || i.Status == "void" }

// UnpaidInvoice is a renewal that Stripe could not collect.
type UnpaidInvoice struct {
	InvoiceID      string
	AmountMinor    int64
	Currency       string
	HostedURL      string
	ActionRequired bool
	NextAttemptAt  *time.Time
}

// Subscription is what is known of a subscription whose first term was paid.
type Subscription struct {
	ID string
	// OrderID is the order that began it.
	OrderID     uuid.UUID
	CustomerID  string
	Status      SubscriptionStatus
	Renews      bool
	PeriodStart time.Time
	PeriodEnd   time.Time
	// Unpaid is only known right after Stripe was read.
	Unpaid *UnpaidInvoice
	// EndedAt is only known right after Stripe was read; zero when it has not ended.
	EndedAt time.Time
	// PaidSince are the orders whose terms were paid after EndedAt.
	PaidSince []uuid.UUID
	// ObservedAt is when Stripe was asked.
	ObservedAt time.Time
	// SettledUntil: nothing can become of invoices that were made before.
	SettledUntil time.Time
	// Reported are invoices of which a person was told.
	Reported   []string
	NextLookAt *time.Time
	LookCount  int32
}

// Observe takes over what Stripe showed when it was asked at readAt; invoices
// are those made since SettledUntil, oldest first.
func (s *Subscription) Observe(n SubscriptionNow, invoices []Invoice, readAt time.Time) {
	s.Status, s.Renews, s.PeriodStart, s.PeriodEnd, s.ObservedAt = n.stands(), n.renews(), n.PeriodStart, n.PeriodEnd, readAt
	s.CustomerID, s.EndedAt, s.Unpaid = n.CustomerID, n.EndedAt, nil
	open := false
	for _, inv := range invoices {
		if !open {
			s.SettledUntil = inv.CreatedAt.Add(-settledMargin)
		}
		open = open || !inv.settled()
		if inv.Status == "open" && inv.Attempted && (s.Status == PastDue || s.Status == Unpaid) {
			s.Unpaid = &UnpaidInvoice{
				InvoiceID: inv.ID, AmountMinor: inv.DueMinor, Currency: inv.Currency, HostedURL: inv.HostedURL,
				ActionRequired: inv.Intent.Status == StripeRequiresAction, NextAttemptAt: inv.NextAttemptAt,
			}
		}
	}
	s.NextLookAt = s.nextLook(readAt, open)
}

const (
	// lookAtLatest bounds how long a subscription goes without a look.
	lookAtLatest = 24 * time.Hour
	// collectedAfter is when Stripe has surely tried to collect a renewal: it does
	// so an hour after the period began.
	collectedAfter = 90 * time.Minute
	// settledMargin is how far before the oldest invoice that matters they are
	// listed again, lest one was not yet to be seen among them.
	settledMargin = 24 * time.Hour
	// lateFor is how long a subscription that is over is still looked at, when one
	// of its invoices can still be paid.
	lateFor = 30 * 24 * time.Hour
)

// nextLook is when it is to be looked at without any event; nil for one that is
// over, unless an open invoice may still bring money.
func (s *Subscription) nextLook(now time.Time, open bool) *time.Time {
	next := now.Add(lookAtLatest)
	if s.Status == Ended {
		if !open || now.Sub(s.SettledUntil) > lateFor {
			return nil
		}
		return &next
	}
	turns := []time.Time{s.PeriodStart.Add(collectedAfter), s.PeriodEnd.Add(collectedAfter)}
	if s.Unpaid != nil && s.Unpaid.NextAttemptAt != nil {
		turns = append(turns, s.Unpaid.NextAttemptAt.Add(10*time.Minute))
	}
	for _, at := range turns {
		if at.After(now) && at.Before(next) {
			next = at
		}
	}
	return &next
}
