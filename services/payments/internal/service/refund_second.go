package service

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
)

// A second charge that was taken for an order is no payment of it: only one is. It
// is refunded beside the order's payment, which keeps the refund and is not changed
// by it; Orders hears nothing, because nothing becomes of the order.

// secondCharge reads the charge that a wish names, when it is not the one that paid
// the order; nil when it is. Errors: payment.ErrNone, payment.ErrOtherCharge,
// payment.ErrUnreachable.
func (s *Service) secondCharge(ctx context.Context, w RefundWish) (*payment.Payment, error) {
	if w.ChargeID == "" {
		return nil, nil
	}
	p, err := s.Store.Last(ctx, w.OrderID)
	switch {
	case errors.Is(err, store.ErrNone):
		return nil, payment.ErrNone
	case err != nil:
		return nil, err
	case p.ChargeID == w.ChargeID:
		return nil, nil
	}
	if r, err := s.Store.Refund(ctx, nil, w.ID); err == nil && r.ChargeID == w.ChargeID {
		return &payment.Payment{OrderID: w.OrderID, ChargeID: w.ChargeID}, nil // asked again; it is written
	}
	page, err := s.SeeCharges(ctx, []string{w.ChargeID})
	if err != nil {
		return nil, err
	}
	if len(page) == 0 || page[0].Owner != Ours || page[0].OrderID != w.OrderID || !page[0].Paid() {
		return nil, payment.ErrOtherCharge
	}
	c := page[0]
	second := payment.Payment{
		OrderID: w.OrderID, ChargeID: c.ID, Status: payment.Succeeded,
		ReceivedMinor: c.AmountMinor, ReceivedCurrency: c.Currency, RefundedMinor: c.RefundedMinor,
	}
	if c.Disputed {
		second.Dispute = payment.DisputeOpen
	}
	return &second, nil
}

// driveSecond is driveRefund of a second charge.
func (s *Service) driveSecond(ctx context.Context, r payment.Refund, p payment.Payment) (payment.Refund, error) {
	asked := stripegw.ErrKeyReused // too old to ask again: read first
	if s.Now().Sub(r.TriedAt) < keyLife {
		asked = s.Stripe.CreateRefund(ctx, r, r.ChargeID)
	}
	c, err := s.readSecond(ctx, p, r.ChargeID)
	if cause := errors.Join(asked, err); cause != nil {
		s.Log.WarnContext(ctx, "stripe did not plainly make a refund", "order_id", r.OrderID, "charge_id", r.ChargeID, "error", cause)
		s.reportNoAccess(ctx, cause)
	}
	if err == nil && !c.Shows(r.ID) {
		if err := s.notMade(ctx, r, c, asked); err != nil {
			s.Log.WarnContext(ctx, "what came of a refund is not recorded; it is looked at again", "order_id", r.OrderID, "error", err)
		}
	}
	return s.Store.Refund(ctx, nil, r.ID)
}

// readSecond records what went back of a second charge, and opens a case when a
// refund of it failed, or when it is disputed.
func (s *Service) readSecond(ctx context.Context, p payment.Payment, chargeID string) (payment.ChargeNow, error) {
	c, err := s.Stripe.GetCharge(ctx, chargeID)
	if err != nil {
		return c, err
	}
	before, err := s.Store.Refunds(ctx, p.OrderID)
	if err != nil {
		return c, err
	}
	if err := s.chargeCases(ctx, p, c, before); err != nil {
		return c, err
	}
	return c, s.Store.InTx(ctx, func(tx pgx.Tx) error {
		for _, r := range c.Refunds {
			row := s.refundRow(p, r, before)
			row.ChargeID = chargeID
			if err := s.Store.SaveStripeRefund(ctx, tx, row, s.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// lookAtSecond looks at a refund of a second charge for which the bank is waited.
func (s *Service) lookAtSecond(ctx context.Context, r payment.Refund) error {
	p, err := s.Store.Last(ctx, r.OrderID)
	if err != nil {
		return err
	}
	_, err = s.readSecond(ctx, p, r.ChargeID)
	return err
}
