package service

import (
	"context"
	"fmt"
	"time"

	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/run"
)

// eventsKept is how long Stripe keeps events.
const eventsKept = 30 * 24 * time.Hour

// catchUpEvents has Payments take the events that its ledger lacks: an endpoint
// that was disabled or misrouted for days loses nothing.
func (s *Service) catchUpEvents(ctx context.Context, w *sweep) error {
	if w.dry {
		return nil // reading them takes them
	}
	return s.readOn(ctx, w, list{name: "events", what: "events", behind: eventsKept, page: func(ctx context.Context, w *sweep, at clients.Window) (string, error) {
		added, next, err := s.Payments.CatchUpEvents(ctx, at)
		if err == nil && added > 0 {
			w.progress.Add(run.Counts{EventsAdded: added}, fmt.Sprintf("%d events had not been delivered; the ledger has them now", added))
		}
		return next, err
	}})
}
