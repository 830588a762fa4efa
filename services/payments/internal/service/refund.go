package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/clients"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/wire"
)

// RefundWish is what a person asks to give back.
type RefundWish struct {
	ID      uuid.UUID
	OrderID uuid.UUID
	// AmountMinor is 0 for all that is left.
	AmountMinor int64
	Reason      string
	Actor       string
}

// Refund gives money back. The wish is written first, and its id is Stripe's
// key: a double click, a lost answer and a second try are one refund. Errors:
// those of payment.Payment.CheckRefund, payment.ErrRefundRunning.
func (s *Service) Refund(ctx context.Context, w RefundWish) (payment.Refund, error) {
	ctx, cancel := detach(ctx)
	defer cancel()
	r, err := s.beginRefund(ctx, w)
	if err != nil || r.Status != payment.RefundRequested {
		return r, err
	}
	return s.driveRefund(ctx, r)
}

func (s *Service) beginRefund(ctx context.Context, w RefundWish) (r payment.Refund, err error) {
	r, err = s.Store.Refund(ctx, w.ID)
	switch {
	case err == nil && r.OrderID != w.OrderID:
		return r, payment.ErrRefundOther
	case !errors.Is(err, store.ErrNone):
		return r, err
	}
	now := s.Now()
	due := now.Add(s.Settings.RescueAfter)
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		p, err := s.Store.LockLast(ctx, tx, w.OrderID)
		if errors.Is(err, store.ErrNone) {
			return payment.ErrNone
		}
		if err != nil {
			return err
		}
		amount, err := p.CheckRefund(w.AmountMinor)
		if err != nil {
			return err
		}
		r = payment.Refund{
			ID: w.ID, PaymentID: p.ID, OrderID: p.OrderID, AmountMinor: amount, Currency: p.ReceivedCurrency,
			Status: payment.RefundRequested, Reason: w.Reason, Actor: w.Actor, CreatedAt: now, NextLookAt: &due,
		}
		return s.Store.InsertRefund(ctx, tx, r)
	})
	if errors.Is(err, store.ErrTaken) {
		return s.Store.Refund(ctx, w.ID) // the same wish at the same moment
	}
	return r, err
}

// driveRefund asks Stripe for a refund that is written. Past the life of its
// key, or when the answer was lost, the charge says whether it was made.
func (s *Service) driveRefund(ctx context.Context, r payment.Refund) (payment.Refund, error) {
	p, err := s.Store.Last(ctx, r.OrderID)
	if err != nil {
		return r, err
	}
	if s.Now().Sub(r.CreatedAt) < keyLife {
		_, err = s.Stripe.CreateRefund(ctx, r, p.ChargeID)
	}
	refused := errors.Is(err, stripegw.ErrRefused)
	k, readErr := s.readCharge(ctx, p)
	if readErr != nil {
		s.Log.Warn("stripe gave no definite word on a refund; it is looked at again", "order_id", r.OrderID, "error", errors.Join(err, readErr))
		return s.Store.Refund(ctx, r.ID)
	}
	if refused {
		// A definite no, and the charge re-read does not show it: if it does, the
		// row is no longer REQUESTED.
		if err := s.Store.RefuseRefund(ctx, r.ID, s.Now()); err != nil {
			return r, err
		}
	}
	if r, err = s.Store.Refund(ctx, r.ID); err != nil {
		return r, err
	}
	return r, s.tellOfCharge(ctx, k)
}

// readCharge asks Stripe how the payment's charge stands now, records it, and
// opens cases for what needs a person.
func (s *Service) readCharge(ctx context.Context, p payment.Payment) (wire.Known, error) {
	readAt := s.Now()
	c, err := s.Stripe.GetCharge(ctx, p.ChargeID)
	if err != nil {
		return wire.Known{}, err
	}
	before, err := s.Store.Refunds(ctx, p.OrderID)
	if err != nil {
		return wire.Known{}, err
	}
	// The cases come first: what is saved here is not reported again.
	if err := s.chargeCases(ctx, p, c, before); err != nil {
		return wire.Known{}, err
	}
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		newer, err := s.Store.SaveCharge(ctx, tx, p.ID, c, readAt, s.Now())
		if err != nil || !newer {
			return err
		}
		for _, r := range c.Refunds {
			if err := s.Store.SaveStripeRefund(ctx, tx, s.refundRow(p, r), s.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return wire.Known{}, err
	}
	return s.known(ctx, p.ID)
}

// refundRow is our row of a refund that Stripe shows.
func (s *Service) refundRow(p payment.Payment, r payment.StripeRefund) payment.Refund {
	row := payment.Refund{
		ID: r.RefundID, PaymentID: p.ID, OrderID: p.OrderID, StripeID: r.ID, AmountMinor: r.AmountMinor,
		Currency: r.Currency, Status: r.Status, Reason: "made at Stripe", CreatedAt: r.CreatedAt,
	}
	if row.ID == uuid.Nil {
		row.ID = payment.RefundIDFor(p.ID, r.ID)
	}
	if r.Status.Waits() {
		next := s.Now().Add(refundLook)
		row.NextLookAt = &next
	}
	return row
}

// chargeCases opens a case for a refund that failed after it was made, and for
// a dispute that waits for an answer.
func (s *Service) chargeCases(ctx context.Context, p payment.Payment, c payment.ChargeNow, before []payment.Refund) error {
	failed := map[string]bool{}
	for _, r := range before {
		failed[r.StripeID] = r.Status == payment.RefundFailed
	}
	for _, r := range c.Refunds {
		if r.Status == payment.RefundFailed && !failed[r.ID] {
			if err := s.Cases.OpenFailedRefund(ctx, p.OrderID, fmt.Sprintf("refund %s of charge %s failed at the bank: the customer does not have the money back", r.ID, c.ID)); err != nil {
				return err
			}
		}
	}
	if c.Dispute == payment.DisputeOpen && p.Dispute != payment.DisputeOpen {
		return s.Cases.OpenDispute(ctx, p.OrderID, fmt.Sprintf("charge %s is disputed: answer it at Stripe, do not refund", c.ID))
	}
	return nil
}

// tellOfCharge hands Orders what became of a charge.
func (s *Service) tellOfCharge(ctx context.Context, k wire.Known) error {
	_, err := s.Orders.Advance(ctx, k, clients.Webhook)
	return err
}

// LookAtRefund looks at a refund that has no final answer yet.
func (s *Service) LookAtRefund(ctx context.Context, r payment.Refund) error {
	ctx, cancel := detach(ctx)
	defer cancel()
	if r.Status == payment.RefundRequested {
		_, err := s.driveRefund(ctx, r)
		return err
	}
	p, err := s.Store.Last(ctx, r.OrderID)
	if err != nil {
		return err
	}
	k, err := s.readCharge(ctx, p)
	if err != nil {
		return err
	}
	return s.tellOfCharge(ctx, k)
}

// ClaimDueRefunds takes refunds that are due for a look.
func (s *Service) ClaimDueRefunds(ctx context.Context, limit int) ([]payment.Refund, error) {
	return s.Store.ClaimDueRefunds(ctx, s.Now(), s.Settings.RescueAfter, limit)
}

// ListRefunds lists an order's refunds, oldest first.
func (s *Service) ListRefunds(ctx context.Context, orderID uuid.UUID) ([]payment.Refund, error) {
	return s.Store.Refunds(ctx, orderID)
}
