package service

import (
	"context"

	"makegood.example/services/payments/internal/store"
)

// IgnoreEvent ends an event that needs nothing. Errors: payment.ErrEventNotFound,
// payment.ErrEventState.
func (s *Service) IgnoreEvent(ctx context.Context, eventID, actor, reason string) (store.Entry, error) {
	if err := s.Store.Ignore(ctx, store.Act{EventID: eventID, Actor: actor, Reason: reason, At: s.Now()}); err != nil {
		return store.Entry{}, err
	}
	s.Log.Info("an event was ignored by a person", "event_id", eventID, "actor", actor)
	return s.Store.Entry(ctx, eventID)
}
