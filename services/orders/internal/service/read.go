package service

import (
	"context"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/orders/internal/order"
)

// Get reads an order by what its buyer knows. Errors: order.ErrNotFound.
func (s *Service) Get(ctx context.Context, reference uuid.UUID) (order.Order, error) {
	return s.Store.GetByReference(ctx, reference)
}

// Describe reads an order with its history. Errors: order.ErrNotFound.
func (s *Service) Describe(ctx context.Context, id uuid.UUID) (order.Order, []order.HistoryEntry, error) {
	o, err := s.Store.Get(ctx, id)
	if err != nil {
		return order.Order{}, nil, err
	}
	history, err := s.Store.History(ctx, id)
	return o, history, err
}

// ListStuck pages through orders without progress since a time.
func (s *Service) ListStuck(ctx context.Context, since, afterTime time.Time, afterID uuid.UUID, limit int) ([]order.Order, error) {
	return s.Store.ListStuck(ctx, since, afterTime, afterID, limit)
}
