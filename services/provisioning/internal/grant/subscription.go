package grant

import (
	"cmp"
	"time"

	"github.com/google/uuid"
)

// Status is how a subscription stands at Stripe.
type Status string

const (
	// Active is paid.
	Active Status = "ACTIVE"
	// PastDue failed to renew and is tried again.
	PastDue Status = "PAST_DUE"
	// Paused gives no access until it is Active again.
	Paused Status = "PAUSED"
	// Ended is over, whatever was paid.
	Ended Status = "ENDED"
)

// life orders what may be seen in the same second: what comes later in a
// subscription's life is the newer fact, also that it will not be renewed.
var life = map[Status]int{Active: 1, PastDue: 2, Paused: 3, Ended: 4}

func newer(known, seen Subscription) bool {
	order := cmp.Or(seen.ObservedAt.Compare(known.ObservedAt), cmp.Compare(life[seen.Status], life[known.Status]))
	return order > 0 || order == 0 && (known.Renews || !seen.Renews)
}

// Subscription is how a subscription stood when Stripe was last read.
type Subscription struct {
	ID string
	// OrderID is the order that began it.
	OrderID uuid.UUID
	Status  Status
	// Renews is false when it runs out at the end of the paid term.
	Renews     bool
	ObservedAt time.Time
	// PaidSince are the orders whose terms were paid after it had ended. It comes
	// with the news, and is not kept.
	PaidSince []uuid.UUID
	// Again: terms that were lost have been given again since it was first told. It
	// comes with the news, too.
	Again bool
	// GraceUntil is set while it is past due, and kept while it is paused: the
	// grace counts from when it was first seen past due, until it is paid.
	GraceUntil *time.Time
}

// Follow is what the subscription becomes by a newer observation, and whether
// seen is one. grace is how long access outlasts a failed renewal. known is nil
// at first.
func Follow(known *Subscription, seen Subscription, grace time.Duration) (Subscription, bool) {
	if known != nil {
		if !newer(*known, seen) {
			return *known, false
		}
		seen.OrderID = known.OrderID
	}
	switch {
	case seen.Status != PastDue && seen.Status != Paused:
		seen.GraceUntil = nil
	case known != nil && known.GraceUntil != nil:
		seen.GraceUntil = known.GraceUntil
	case seen.Status == PastDue:
		until := seen.ObservedAt.Add(grace)
		seen.GraceUntil = &until
	}
	return seen, true
}
