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
	lag, err := s.eventsLag(ctx)
	if err != nil {
		fault(ctx, w.progress, "events: how far charges were read is not known", err)
		return fmt.Errorf("cursor charges: %w", err)
	}
	return s.readOn(ctx, w, list{name: "events", what: "events", behind: eventsKept, lag: lag, page: func(ctx context.Context, w *sweep, at clients.Window) (string, error) {
		added, next, err := s.Payments.CatchUpEvents(ctx, at)
		if err == nil && added > 0 {
			w.progress.Add(run.Counts{EventsAdded: added}, fmt.Sprintf("%d events had not been delivered; the ledger has them now", added))
		}
		return next, err
	}})
}

// eventsLag is how long Stripe is given to deliver an event before it is read.
// Events stay behind the charges, which say more than they do: unless charges
// cannot be read for many periods.
func (s *Service) eventsLag(ctx context.Context) (time.Duration, error) {
	charges, _, err := s.Store.Cursor(ctx, "charges")
	if err != nil {
		return 0, err
	}
	behind := s.now().Sub(charges) + s.Settings.Settles
	return max(s.Settings.EventsLag, min(behind, 10*s.Settings.Every)), nil
}
