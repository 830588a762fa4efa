package service

import (
	"context"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/orders/internal/order"
)

// MatchCharges finds the orders that a page of charges belongs to. position is how
// far the history goes: it only grows, unless the database was restored. duplicates
// asks of each order, too, whether its buyer had paid another for the same.
func (s *Service) MatchCharges(ctx context.Context, keys []order.ChargeKeys, duplicates bool) (matches []order.ChargeMatch, position int64, err error) {
	if position, err = s.Store.HistoryPosition(ctx); err != nil {
		return nil, 0, err
	}
	if !duplicates {
		matches, err = s.Store.MatchCharges(ctx, keys, 0)
		return matches, position, err
	}
	if matches, err = s.Store.MatchCharges(ctx, keys, duplicateWindow); err != nil {
		return nil, 0, err
	}
	return matches, position, s.notePaidInstead(ctx, matches)
}

// notePaidInstead tells on orders that were given up which one their buyer has paid
// instead: money that arrives for them is a second payment, as in doubt.
func (s *Service) notePaidInstead(ctx context.Context, matches []order.ChargeMatch) error {
	var givenUp []uuid.UUID
	for _, m := range matches {
		if m.State == order.Failed || m.State == order.Expired {
			givenUp = append(givenUp, m.OrderID)
		}
	}
	if len(givenUp) == 0 {
		return nil
	}
	paid, err := s.Store.PaidInstead(ctx, givenUp)
	for i := range matches {
		if instead, ok := paid[matches[i].OrderID]; ok {
			matches[i].DuplicateOf = instead
		}
	}
	return err
}

// ListCompleted pages through the orders completed in [since, before) whose buyers
// are owed a confirmation, oldest first.
func (s *Service) ListCompleted(ctx context.Context, since, before, afterTime time.Time, afterID uuid.UUID, limit int) ([]order.Order, error) {
	return s.Store.ListCompleted(ctx, since, before, afterTime, afterID, limit)
}
