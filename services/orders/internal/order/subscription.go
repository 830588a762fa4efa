package order

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"
)

// SubscriptionStatus is how a subscription stands at Stripe.
type SubscriptionStatus string

// The statuses, as Payments names them.
const (
	// Active: paid, or about to be charged for the next term.
	Active SubscriptionStatus = "ACTIVE"
	// PastDue: a renewal failed, and Stripe tries again.
	PastDue SubscriptionStatus = "PAST_DUE"
	// Paused: until it is resumed at Stripe.
	Paused SubscriptionStatus = "PAUSED"
	// Unpaid: Stripe has given up charging it; it can still be paid.
	Unpaid SubscriptionStatus = "UNPAID"
	// Ended: over for good.
	Ended SubscriptionStatus = "ENDED"
)

// Subscription is how a subscription stood when Stripe was last read.
type Subscription struct {
	ID string
	// OrderID is the order that began it.
	OrderID uuid.UUID
	Status  SubscriptionStatus
	// Renews: Stripe will charge it again by itself.
	Renews bool
	// CurrentPeriodEnd ends the term that runs at Stripe, paid or not.
	CurrentPeriodEnd *time.Time
	// Unpaid is the renewal that could not be collected; its ID is empty when
	// there is none.
	Unpaid     UnpaidInvoice
	ObservedAt time.Time
	// PaidSince are the orders whose terms were paid after it had ended: the end
	// leaves them alone. Nil when that was not kept.
	PaidSince []uuid.UUID
	// Again: it is told again because grants were lost; not kept.
	Again bool
	// AccessUntil is what Provisioning answered to this observation, grace
	// included; nil when there is no access, or no answer yet.
	AccessUntil *time.Time
}

// UnpaidInvoice is a renewal that waits for its customer.
type UnpaidInvoice struct {
	ID          string
	AmountMinor int64
	Currency    string
	// URL is a page of Stripe's on which it can be paid or authenticated.
	URL string
	// ActionRequired: the bank asks the customer; otherwise the charge failed.
	ActionRequired bool
	// NextAttemptAt is when Stripe tries again by itself; nil when it will not.
	NextAttemptAt *time.Time
}

// life orders what may be seen at one moment: what comes later in the life of a
// subscription is the newer fact.
var life = map[SubscriptionStatus]int{Active: 1, PastDue: 2, Paused: 3, Unpaid: 4, Ended: 5}

// NewerThan says whether s was observed after known, whichever is heard of first.
// Provisioning decides by the same rule.
func (s Subscription) NewerThan(known Subscription) bool {
	later := cmp.Or(s.ObservedAt.Compare(known.ObservedAt), cmp.Compare(life[s.Status], life[known.Status]))
	return later > 0 || later == 0 && (known.Renews || !s.Renews)
}

// LeaveAlone adds terms that an end leaves alone, and says whether one is new: what
// was paid after it stays so, however late it is told.
func (s *Subscription) LeaveAlone(terms []uuid.UUID) (news bool) {
	for _, id := range terms {
		if s.Status == Ended && !slices.Contains(s.PaidSince, id) {
			s.PaidSince, news = append(s.PaidSince, id), true
		}
	}
	return news
}

// Under is the order with the access that its subscription leaves it: one that is
// over, unpaid or paused gives none from when that was seen, unless there is
// access for as long all the same: its last term may have been paid since.
func (o Order) Under(s *Subscription) Order {
	if s == nil || s.ID != o.SubscriptionID || o.AccessUntil == nil || !s.ObservedAt.Before(*o.AccessUntil) {
		return o
	}
	if s.AccessUntil != nil && !s.AccessUntil.Before(*o.AccessUntil) {
		return o
	}
	if s.Status == Ended || s.Status == Unpaid || s.Status == Paused {
		o.AccessUntil = &s.ObservedAt
	}
	return o
}

// Notice is one thing that a buyer must be told once.
type Notice struct {
	Kind      string // a kind of message, by name
	DedupeKey string
}

// Notices are what its buyer must know as it stands: that a renewal could not be
// collected, and that access ends within notice from now and will not go on by
// itself.
func (s Subscription) Notices(now time.Time, notice time.Duration) (all []Notice) {
	invoice := "subscription/" + s.ID + "/invoice/" + s.Unpaid.ID
	switch {
	case s.Unpaid.ID == "" || s.Status == Ended: // what is over is not collected any more
	case s.Unpaid.ActionRequired:
		all = append(all, Notice{"ACTION_REQUIRED", invoice + "/action-required"})
	default:
		all = append(all, Notice{"PAYMENT_FAILED", invoice + "/payment-failed"})
	}
	// Access that is over needs no notice, and what a buyer has beside a
	// subscription that is over is not this subscription's to speak of.
	ending := s.Status == PastDue || s.Status == Active && !s.Renews
	if s.Status == PastDue {
		notice /= 2 // that it could not be collected was just said
	}
	if ending && s.AccessUntil != nil && s.AccessUntil.After(now) && s.AccessUntil.Sub(now) <= notice {
		all = append(all, Notice{"ACCESS_ENDING", "subscription/" + s.ID + "/access-ending/" + s.AccessUntil.UTC().Format("2006-01-02")})
	}
	return all
}
