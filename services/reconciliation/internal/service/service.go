// Package service holds Reconciliation's use cases, one file per verb.
package service

import (
	"context"
	"log/slog"
	"time"

	"makegood.example/services/platform/personal"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/run"
	"makegood.example/services/reconciliation/internal/store"
)

// Settings are what the use cases need to know of the deployment.
type Settings struct {
	// Every is the time between scheduled runs.
	Every time.Duration
	// StuckAfter is how long an order may make no progress before a run looks
	// after it.
	StuckAfter time.Duration
	// Overlap is how much of what a cursor is past is read again: what Stripe lists
	// late is not missed.
	Overlap time.Duration
	// Settles is how long a new charge is left to its buyer's own request before
	// the sweep does something about it.
	Settles time.Duration
	// EventsLag is how long Stripe is given to deliver an event before the sweep
	// asks for it.
	EventsLag time.Duration
	// DeepPassEvery is the time between two readings of everything, and
	// DeepPassWindow how far back they go.
	DeepPassEvery, DeepPassWindow time.Duration
	// DeepPassReaders is how many slices of a deep pass are read at once.
	DeepPassReaders int
}

// Service runs the use cases.
type Service struct {
	Store         *store.Store
	Orders        *clients.Orders
	Payments      *clients.Payments
	Provisioning  *clients.Provisioning
	Notifications *clients.Notifications
	// Finder reads what the others know of a person.
	Finder *clients.Finder
	// CaseFacts says whether what a case is about is still so.
	CaseFacts *clients.CaseFacts
	// Keepers keep something about people, Orders first; Own is what this service keeps.
	Keepers []clients.Keeper
	Own     *personal.Server
	Runs    *Runs
	// Instance names this process, and stays the same over its restarts.
	Instance string
	// House is what all replies have in common.
	House    desk.House
	Settings Settings
	Now      func() time.Time
	Log      *slog.Logger
}

// now has the database's precision, so that what is answered is what is stored.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// ListRuns lists at most limit runs older than the one with id before, newest first.
func (s *Service) ListRuns(ctx context.Context, before int64, limit int) ([]run.Run, error) {
	return s.Store.ListRuns(ctx, before, limit)
}
