package service

import (
	"context"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/orders/internal/order"
)

// MatchCharges finds the orders that a page of charges belongs to. position is how
// far the history goes: it only grows, unless the database was restored.
func (s *Service) MatchCharges(ctx context.Context, keys []order.ChargeKeys) (matches []order.ChargeMatch, position int64, err error) {
	if position, err = s.Store.HistoryPosition(ctx); err != nil {
		return nil, 0, err
	}
	matches, err = s.Store.MatchCharges(ctx, keys, duplicateWindow)
	return matches, position, err
}

// ListCompleted pages through the orders completed in [since, before) whose buyers
// are owed a confirmation, oldest first.
func (s *Service) ListCompleted(ctx context.Context, since, before, afterTime time.Time, afterID uuid.UUID, limit int) ([]order.Order, error) {
	return s.Store.ListCompleted(ctx, since, before, afterTime, afterID, limit)
}
