package service

import (
	"context"

	"makegood.example/services/payments/internal/store"
)

// IgnoreEvent ends an event that needs nothing. Errors: payment.ErrEventNotFound,
// payment.ErrEventState.
func (s *Service) IgnoreEvent(ctx context.Context, act store.Act) (store.Entry, error) {
	act.At = s.Now()
	if err := s.Store.Ignore(ctx, act); err != nil {
		return store.Entry{}, err
	}
	if !act.DryRun {
		s.Log.InfoContext(ctx, "an event was ignored by a person", "event_id", act.EventID, "actor", act.Actor)
	}
	return s.Store.Entry(ctx, act.EventID)
}
