package service

import (
	"context"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/orders/internal/order"
)

// Get reads an order by what its buyer knows, with the access that its
// subscription leaves it. Errors: order.ErrNotFound.
func (s *Service) Get(ctx context.Context, reference uuid.UUID) (order.Order, error) {
	o, err := s.Store.GetByReference(ctx, reference)
	if err != nil || o.SubscriptionID == "" || o.AccessUntil == nil {
		return o, err
	}
	sub, err := s.Store.SubscriptionOf(ctx, o.Began())
	return o.Under(sub), err
}

// Description is an order with everything around it.
type Description struct {
	Order   order.Order
	History []order.HistoryEntry
	// SecondOfTwo: it went back in full or in part, and an earlier payment of the same
	// person for the same stands.
	SecondOfTwo bool
	// Subscription is what the order began or renewed; nil for a one-off.
	Subscription *order.Subscription
}

// Describe reads everything that is known of an order. Errors: order.ErrNotFound.
func (s *Service) Describe(ctx context.Context, id uuid.UUID) (d Description, err error) {
	if d.Order, err = s.Store.Get(ctx, id); err != nil {
		return Description{}, err
	}
	if d.Subscription, err = s.Store.SubscriptionOf(ctx, d.Order.Began()); err != nil {
		return Description{}, err
	}
	if d.Order.RefundedMinor > 0 {
		first, err := s.Store.FirstOfTwo(ctx, d.Order, duplicateWindow)
		if err != nil {
			return Description{}, err
		}
		d.SecondOfTwo = first != uuid.Nil
	}
	d.History, err = s.Store.History(ctx, id)
	return d, err
}

// ListStuck pages through orders without progress since a time.
func (s *Service) ListStuck(ctx context.Context, since, afterTime time.Time, afterID uuid.UUID, limit int) ([]order.Order, error) {
	return s.Store.ListStuck(ctx, since, afterTime, afterID, limit)
}
