package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store"
)

// TakeRefund gives the money back to a buyer who was offered that and takes it. The
// wish is written first; from then on the order's own looks see to it. Errors:
// order.ErrNotFound, order.ErrNotOffered, order.ErrCannotRefund.
func (s *Service) TakeRefund(ctx context.Context, reference uuid.UUID, token string) (order.Order, error) {
	for range maxSteps {
		o, err := s.Store.GetByReference(ctx, reference)
		if err != nil {
			return order.Order{}, err
		}
		was, now := o, s.Now()
		switch err := o.MayTakeRefund(token, now); {
		case err != nil:
			return order.Order{}, err
		case o.RefundAskedAt != nil:
			return s.Advance(ctx, o.ID, order.ByRequest, nil)
		}
		next := now.Add(s.Settings.RescueAfter)
		o.RefundAskedAt, o.LastProgressAt, o.LookCount, o.NextLookAt = &now, now, 0, &next
		err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
			return s.Store.Update(ctx, tx, was, o, order.ByRequest, "the buyer took the refund that was offered", now)
		})
		if err != nil && !errors.Is(err, store.ErrChanged) {
			return order.Order{}, err
		}
	}
	return order.Order{}, order.ErrInProgress
}

// giveBack asks Payments for the refund that the buyer took, always under the same id,
// and takes over what became of the charge. A definite no is a case for a person; the
// order then goes on as if nothing had been asked, for the money is still here.
func (s *Service) giveBack(ctx context.Context, o order.Order, why order.Why) (more bool, err error) {
	made, refused, cause := s.Payments.Refund(ctx, o)
	if cause != nil {
		s.Log.WarnContext(ctx, "payments did not make a refund", "order_id", o.ID, "refused", refused, "error", cause)
	}
	if !made && !refused {
		return false, nil // it stays due
	}
	// Also when it is refused: the money may have gone back another way.
	m, err := s.Payments.Look(ctx, o)
	if err != nil {
		return false, err
	}
	if changed, err := s.follow(ctx, o, m, why); err != nil || changed || !refused {
		return changed, err
	}
	summary := fmt.Sprintf("the buyer of order %s took the refund that was offered, and it cannot be made", o.ReferenceShort())
	if cause != nil {
		summary += ": " + cause.Error()
	}
	if err := s.Cases.Open(ctx, clients.FailedRefund, o.ID, summary); err != nil {
		return false, err
	}
	was, now := o, s.Now()
	o.RefundFailedAt, o.LastProgressAt, o.LookCount = &now, now, 0
	s.dueIfWrong(&o)
	return true, s.Store.InTx(ctx, func(tx pgx.Tx) error {
		return s.Store.Update(ctx, tx, was, o, why, "the refund cannot be made; a case is open", now)
	})
}
