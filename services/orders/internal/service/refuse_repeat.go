package service

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
)

// unlessBought does something that leads to a charge, unless the same was bought a
// moment ago, or may have been, and the buyer did not say that both are meant. The
// caller is told nothing about the other order; its buyer is told by mail, once, and
// as durably as it was refused. Errors: order.ErrDuplicate.
func (s *Service) unlessBought(ctx context.Context, o order.Order, do func(pgx.Tx) error) error {
	refused := false
	err := s.Store.InTx(ctx, func(tx pgx.Tx) error {
		refused = false // a transaction may run again
		stands, err := s.standsBefore(ctx, tx, o)
		if err != nil {
			return err
		}
		if stands == uuid.Nil {
			return do(tx)
		}
		refused = true
		return s.Messages.QueueOnce(ctx, tx, clients.Message{DedupeKey: s.repeatKey(stands, o), Kind: "REPEAT_REFUSED", OrderID: stands})
	})
	if err == nil && refused {
		return order.ErrDuplicate
	}
	return err
}

// standsBefore is the order because of which o must not be charged; uuid.Nil when
// there is none. Purchases of one thing by one address wait for each other from here on.
func (s *Service) standsBefore(ctx context.Context, tx pgx.Tx, o order.Order) (uuid.UUID, error) {
	if err := s.Store.LockPurchase(ctx, tx, o.EmailKey, o.PlanID); err != nil || o.AllowRepeat {
		return uuid.Nil, err
	}
	now := s.Now()
	stands, err := s.Store.SamePurchase(ctx, tx, o, now.Add(-duplicateWindow))
	if err == nil && stands == uuid.Nil && o.Renews {
		stands, err = s.Store.OrderWithSubscription(ctx, tx, o, now)
	}
	return stands, err
}

// repeatKey names the mail about a refused repeat: one for each order that stands, and
// for a subscription, which stands for years, one a day.
func (s *Service) repeatKey(stands uuid.UUID, o order.Order) string {
	key := "order/" + stands.String() + "/repeat-refused"
	if o.Renews {
		key += "/" + s.Now().UTC().Format("2006-01-02")
	}
	return key
}
