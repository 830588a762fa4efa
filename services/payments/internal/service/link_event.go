package service

import (
	"context"

	"github.com/google/uuid"

	"makegood.example/services/payments/internal/store"
)

// LinkEvent says that an event's Stripe customer is the buyer of an order; what
// waited for that is then due. Errors: those of store.Link.
func (s *Service) LinkEvent(ctx context.Context, eventID string, orderID uuid.UUID, actor, reason string) (store.Entry, error) {
	act := store.Act{EventID: eventID, Actor: actor, Reason: reason, At: s.Now()}
	if err := s.Store.Link(ctx, act, orderID); err != nil {
		return store.Entry{}, err
	}
	s.Log.Info("an event's customer was linked", "event_id", eventID, "order_id", orderID, "actor", actor)
	return s.Store.Entry(ctx, eventID)
}
