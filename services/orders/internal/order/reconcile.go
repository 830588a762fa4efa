package order

import (
	"time"

	"github.com/google/uuid"
)

// ChargeKeys is by what a charge's order is found.
type ChargeKeys struct {
	ChargeID        string
	PaymentIntentID string
	// OrderID is the one that the charge names; uuid.Nil for none.
	OrderID uuid.UUID
}

// ChargeMatch is what a comparison asks of the order that a charge belongs to.
type ChargeMatch struct {
	ChargeID string
	OrderID  uuid.UUID
	State    State
	// PaidBy is the charge that paid the order; empty while none did.
	PaidBy      string
	AmountMinor int64
	Currency    string
	CustomerID  string
	// AmountOpen is Order.AmountIsOpen.
	AmountOpen        bool
	RefundedMinor     int64
	Dispute           Dispute
	ChargedAt         *time.Time
	CompletedAt       *time.Time
	AccessWithdrawnAt *time.Time
	RecoveredBy       string
	// DuplicateOf is another order of the same person for the same, which makes this
	// charge look like a mistake: paid a moment earlier, or, when this order was given
	// up, paid instead of it. uuid.Nil when there is none.
	DuplicateOf uuid.UUID
}

// Confirmation is the message that tells the buyer of an order with access about
// it. A late renewal is no recovery: nobody waited for it, and nobody lost access.
func (o Order) Confirmation() Notice {
	kind := "CONFIRMATION"
	switch {
	case o.Kind == Renewal:
		kind = "RENEWED"
	case o.State == Recovered:
		kind = "RECOVERY"
	}
	return Notice{Kind: kind, DedupeKey: "order/" + o.ID.String() + "/confirmation"}
}

// GrantedPeriod is when the order, which has been completed, gives access: until
// AccessUntil, from when it was completed, or from the end of what its buyer had
// before. It is for a grant that was lost; it leaves no gap to what came before.
func (o Order) GrantedPeriod() (start, end time.Time) {
	if o.SubscriptionID != "" {
		return *o.PeriodStart, *o.PeriodEnd
	}
	end = o.AccessUntil.UTC()
	start = monthsBefore(end, int(o.TermMonths))
	if at := o.CompletedAt; at != nil && at.After(start) && at.Before(end) {
		start = *at
	}
	return start, end
}

// monthsBefore is the same day and time so many months before, or the last day of
// that month when it has no such day.
func monthsBefore(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month()-time.Month(months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	return first.AddDate(0, 0, min(t.Day(), first.AddDate(0, 1, -1).Day())-1)
}
