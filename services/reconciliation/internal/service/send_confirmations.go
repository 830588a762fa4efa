package service

import (
	"context"
	"fmt"
	"time"

	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/run"
)

const (
	// unsentFor is how long a completed order's confirmation may not be known to
	// Notifications: the order's own job is usually faster.
	unsentFor = 2 * time.Minute
	// confirmationsBehind is how far back completed orders are read at first.
	confirmationsBehind = 24 * time.Hour
)

// sendConfirmations asks for the messages of completed orders that Notifications
// has never heard of. Asked for twice, a message is sent once.
func (s *Service) sendConfirmations(ctx context.Context, w *sweep) error {
	unsent := 0 // of what could not be asked for, the cursor stays: a customer is owed each
	return s.readOn(ctx, w, list{
		name: "confirmations", what: "completed orders", behind: confirmationsBehind, lag: unsentFor,
		held: func() int { return unsent },
		page: func(ctx context.Context, w *sweep, at clients.Window) (string, error) {
			failed, next, err := s.confirmationPage(ctx, w, at)
			unsent += failed
			return next, err
		},
	})
}

func (s *Service) confirmationPage(ctx context.Context, w *sweep, at clients.Window) (failed int, next string, err error) {
	if limit := s.now().Add(-unsentFor); at.Before.After(limit) {
		at.Before = limit // to the moment, unlike Stripe's times
	}
	completed, next, err := s.Orders.ListCompleted(ctx, at)
	if err != nil || len(completed) == 0 {
		return 0, next, err
	}
	keys := make([]string, len(completed))
	for i, c := range completed {
		keys[i] = c.Message.DedupeKey
	}
	known, err := s.Notifications.Known(ctx, keys)
	if err != nil {
		return 0, "", err
	}
	for _, c := range completed {
		if known[c.Message.DedupeKey] {
			continue
		}
		what := fmt.Sprintf("order %s was completed at %s and nobody had its %s sent", c.OrderID, c.CompletedAt.Format(time.RFC3339), c.Message.Kind)
		if w.dry {
			w.progress.Add(run.Counts{}, what+"; it would be")
			continue
		}
		if err := s.Notifications.Send(ctx, c.Message); err != nil {
			failed++
			fault(ctx, w.progress, what+"; it cannot be now", err)
			continue
		}
		w.progress.Add(run.Counts{ConfirmationsSent: 1}, what+"; it is now")
	}
	return failed, next, nil
}
