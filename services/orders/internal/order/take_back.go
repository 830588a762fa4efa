package order

import "time"

// Dispute is how a dispute of the order's charge stands; empty is none.
type Dispute string

// The stages of a dispute.
const (
	DisputeOpen Dispute = "OPEN"
	DisputeLost Dispute = "LOST"
	DisputeWon  Dispute = "WON"
)

// FullyRefunded says whether the whole amount went back.
func (o Order) FullyRefunded() bool { return o.RefundedMinor > 0 && o.RefundedMinor >= o.AmountMinor }

// LosesAccess says whether the money is gone, so that the access must be too. A
// dispute that is open takes nothing yet, and neither does a partial refund.
func (o Order) LosesAccess() bool { return o.State == Refunded || o.Dispute == DisputeLost }

// AccessEndsAt is when the order's access ends, or ended when it was withdrawn;
// nil for an order that got none.
func (o Order) AccessEndsAt() *time.Time {
	if o.AccessUntil != nil && o.AccessWithdrawnAt != nil && o.AccessWithdrawnAt.Before(*o.AccessUntil) {
		return o.AccessWithdrawnAt
	}
	return o.AccessUntil
}

// AccessIsRight says whether the access is as the money has it.
func (o Order) AccessIsRight() bool { return o.LosesAccess() == (o.AccessWithdrawnAt != nil) }

// Paid says whether Stripe's charge stands, or stood, behind the order.
func (s State) Paid() bool {
	return s == Charged || s == Orphaned || s == Complete || s == Recovered || s == Refunded
}
