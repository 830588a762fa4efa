package service

import (
	"context"

	"github.com/google/uuid"

	"makegood.example/services/orders/internal/order"
)

// Confirm says that the browser is back: Stripe is read now.
func (s *Service) Confirm(ctx context.Context, reference uuid.UUID) (order.Order, error) {
	o, err := s.Store.GetByReference(ctx, reference)
	if err != nil || o.State.Fulfilled() || o.State == order.Refunded {
		return o, err
	}
	return s.advanceForBuyer(ctx, o.ID)
}
