// Package service holds what Orders does, one file per verb. Advance is the
// heart: everything else writes an intent and calls it.
package service

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/singleflight"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/plans"
	"makegood.example/services/orders/internal/store"
)

// Settings are the times and limits by which Orders decides.
type Settings struct {
	// RescueAfter is when an order that is not at rest is first looked at.
	RescueAfter time.Duration
	// ApologyAfter is the delay from which a buyer could have noticed.
	ApologyAfter time.Duration
	// StillWorkingAfter is how long after their payment buyers without access are told
	// that we have it.
	StillWorkingAfter time.Duration
	// RefundOfferFor is how long a refund that was offered can be taken.
	RefundOfferFor time.Duration
	// ChargeWithin is how long after the buyer's last submission a charge may begin.
	ChargeWithin time.Duration
	// ExpiresAfter is how long an order waits for its buyer.
	ExpiresAfter time.Duration
	// AccessEndingNotice is how long before access ends its buyer is told, when it
	// will not be renewed.
	AccessEndingNotice time.Duration
	// Limits bound the submissions within LimitWindow.
	LimitPerOrder, LimitPerEmail, LimitPerIP int
}

const (
	// limitWindow is what submissions are counted over.
	limitWindow = time.Hour
	// duplicateWindow is how long a paid order makes the same purchase again look
	// like a mistake.
	duplicateWindow = 10 * time.Minute
	// caseAfterLooks is how many looks without progress make a case for a person.
	caseAfterLooks = 5
	// advanceTimeout bounds one Advance; Stripe's answer is most of it.
	advanceTimeout = 40 * time.Second
	// maxSteps bounds the steps of one Advance; an order needs two.
	maxSteps = 8
)

// Messenger queues a message in the transaction that makes it true.
type Messenger interface {
	Queue(ctx context.Context, tx pgx.Tx, m clients.Message) error
	// QueueOnce is Queue for what may be said again and again within a day: only the
	// first is queued.
	QueueOnce(ctx context.Context, tx pgx.Tx, m clients.Message) error
	// QueueUnlessShown is Queue for what a page that is open shows within a minute:
	// Withdraw takes it back.
	QueueUnlessShown(ctx context.Context, tx pgx.Tx, m clients.Message) error
	// Withdraw takes back what waits in QueueUnlessShown.
	Withdraw(ctx context.Context, tx pgx.Tx, m clients.Message) error
}

// Service is Orders.
type Service struct {
	Store         *store.Store
	Plans         plans.Plans
	Payments      *clients.Payments
	Provisioning  *clients.Provisioning
	Notifications *clients.Notifications
	Cases         *clients.Cases
	Messages      Messenger
	Settings      Settings
	Metrics       *Metrics
	Now           func() time.Time
	Log           *slog.Logger

	fulfilling singleflight.Group
	inHand     inHand
	recoveries recoveries
}

// detach lets work go on when the caller has gone: a browser that closes must
// not leave a charge half made.
func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), advanceTimeout)
}
