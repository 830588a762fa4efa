package service

import (
	"context"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/order"
)

// Shown is told of every answer about an order that its buyer gets. A card that was
// declined is told by mail unless the answer says so, and an answer may be lost: the
// mail is queued with the decline, and taken back by the first answer with it that
// has somebody to hear it. Should that fail, the mail is sent, and is true.
func (s *Service) Shown(ctx context.Context, o order.Order) {
	if o.State != order.Failed || o.Checkout != order.Server || ctx.Err() != nil {
		return
	}
	if err := s.Store.InTx(ctx, func(tx pgx.Tx) error { return s.Messages.Withdraw(ctx, tx, notCharged(o)) }); err != nil {
		s.Log.WarnContext(ctx, "the mail about a decline that its buyer was shown is sent all the same", "order_id", o.ID, "error", err)
	}
}
