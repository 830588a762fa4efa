package order

import "slices"

// State is where an order stands.
type State string

// The states; DESIGN calls these names fixed.
const (
	// Pending: intent written, payment not known to have succeeded.
	Pending State = "PENDING"
	// Charged: Stripe confirmed the money; access not yet granted.
	Charged State = "CHARGED"
	// Complete: access granted, confirmation durably queued.
	Complete State = "COMPLETE"
	// Recovered: the same, late enough for the buyer to have noticed.
	Recovered State = "RECOVERED"
	// Failed: Stripe's definite no; another card may be tried.
	Failed State = "FAILED"
	// Expired: never paid, and it can no longer be charged.
	Expired State = "EXPIRED"
	// Orphaned: made from a charge of ours that had no order.
	Orphaned State = "ORPHANED"
	// Refunded: fully refunded; a later "paid" never revives it.
	Refunded State = "REFUNDED"
)

// States lists all of them.
var States = []State{Pending, Charged, Complete, Recovered, Failed, Expired, Orphaned, Refunded}

// Event is something that happened to an order.
type Event string

// The events.
const (
	// Paid: Stripe confirmed the money.
	Paid Event = "paid"
	// Declined: Stripe's definite no to the last card.
	Declined Event = "declined"
	// Canceled: Stripe says that it can no longer be charged.
	Canceled Event = "canceled"
	// Resubmitted: the buyer tries another card.
	Resubmitted Event = "resubmitted"
	// Fulfilled: access granted in time.
	Fulfilled Event = "fulfilled"
	// FulfilledLate: access granted, but the buyer could notice the delay.
	FulfilledLate Event = "fulfilled late"
	// Refund: the whole amount went back.
	Refund Event = "refunded"
)

// Events lists all of them.
var Events = []Event{Paid, Declined, Canceled, Resubmitted, Fulfilled, FulfilledLate, Refund}

// transitions is the state machine. What is not here does not happen: the event
// is then old news, and changes nothing.
var transitions = map[State]map[Event]State{
	Pending:   {Paid: Charged, Declined: Failed, Canceled: Expired, Refund: Refunded},
	Failed:    {Paid: Charged, Resubmitted: Pending, Canceled: Expired},
	Expired:   {Paid: Charged},
	Charged:   {Fulfilled: Complete, FulfilledLate: Recovered, Refund: Refunded},
	Orphaned:  {FulfilledLate: Recovered, Refund: Refunded},
	Complete:  {Refund: Refunded},
	Recovered: {Refund: Refunded},
	Refunded:  {},
}

// After returns the state that follows when event happens in s, and whether
// anything follows at all.
func (s State) After(event Event) (State, bool) {
	next, ok := transitions[s][event]
	return next, ok
}

// AtRest says whether an order in s needs no further step.
func (s State) AtRest() bool { return !slices.Contains([]State{Pending, Charged, Orphaned}, s) }

// Fulfilled says whether access was granted and nothing was taken back.
func (s State) Fulfilled() bool { return s == Complete || s == Recovered }
