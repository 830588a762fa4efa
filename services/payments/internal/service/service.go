// Package service holds what Payments does, one file per verb. Only Pay moves
// money; everything else reads Stripe and records what it says.
package service

import (
	"context"
	"log/slog"
	"time"

	"makegood.example/services/payments/internal/clients"
	"makegood.example/services/payments/internal/ownership"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
)

// Settings are the times by which Payments works.
type Settings struct {
	// RescueAfter is when an undecided attempt is first looked at.
	RescueAfter time.Duration
	// PublicURL is where Stripe's page sends buyers back to.
	PublicURL string
	// WebhookSecrets sign deliveries; any one may.
	WebhookSecrets []string
	// MatchByEmail lets an event of ours that names nobody be for the one buyer
	// whose proven address it has.
	MatchByEmail bool
	// RawBodyRetention is how long the bodies of events at rest are kept, at least.
	RawBodyRetention time.Duration
	// Ownership claims charges of another checkout for a person to adopt.
	Ownership ownership.Rules
}

const (
	// workTimeout bounds what goes on after a caller has gone.
	workTimeout = 30 * time.Second
	// keyLife is how long Stripe surely remembers an idempotency key; after it
	// the object is read before anything is written.
	keyLife = 23 * time.Hour
	// searchBefore is how far before an order its intent may carry a time, given
	// clocks that differ.
	searchBefore = time.Hour
	// refundLook is when a refund that waits for the bank is looked at again.
	refundLook = time.Hour
	// caseAfterLooks is how many looks without a definite word make a case.
	caseAfterLooks = 5
	// subscriptionCaseAfterLooks is the same for a subscription: some hours. Nobody
	// waits for such a look, grace is days, and a service that was away is no case.
	subscriptionCaseAfterLooks = 12
)

// Service is Payments.
type Service struct {
	Store    *store.Store
	Stripe   *stripegw.Gateway
	Orders   *clients.Orders
	Cases    *clients.Cases
	Accounts *clients.Accounts
	Settings Settings
	Metrics  *Metrics
	Now      func() time.Time
	Log      *slog.Logger
}

// detach lets a call to Stripe go on when the caller has gone: its answer is
// what we need most.
func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), workTimeout)
}
