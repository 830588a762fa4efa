package message

import "time"

// Order is what is true of an order when its mail is written.
type Order struct {
	State          string
	Email          string
	Name           string
	PlanName       string
	AmountDisplay  string
	ReferenceShort string
	// RefundedDisplay is what went back so far; empty for nothing.
	RefundedDisplay string
	// AccessUntil is zero while there is no access.
	AccessUntil time.Time
}

// Link is how the buyer gets in.
type Link struct {
	URL string
	// Activation: it sets up a new account and works once, until ExpiresAt.
	Activation bool
	ExpiresAt  time.Time
}
