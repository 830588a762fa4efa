package service

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
)

// LinkEvent says that an event's Stripe customer is the buyer of an order, or the
// holder of an account who bought something here; what waited for that is then due.
// Errors: those of store.Link.
func (s *Service) LinkEvent(ctx context.Context, orderID uuid.UUID, accountID string, act store.Act) (store.Entry, error) {
	w := store.Whose{BoughtBy: orderID, AccountID: accountID}
	if accountID != "" {
		p, err := s.byAccount(ctx, accountID)
		if errors.Is(err, store.ErrNone) || err == nil && p.OrderID == uuid.Nil {
			return store.Entry{}, payment.ErrNone.With("account_id", accountID)
		}
		if err != nil {
			return store.Entry{}, err
		}
		w.BoughtBy = p.OrderID
	}
	act.At = s.Now()
	if err := s.Store.Link(ctx, act, w); err != nil {
		return store.Entry{}, err
	}
	if !act.DryRun {
		s.Log.InfoContext(ctx, "an event's customer was linked", "event_id", act.EventID, "order_id", w.BoughtBy, "actor", act.Actor)
	}
	return s.Store.Entry(ctx, act.EventID)
}
