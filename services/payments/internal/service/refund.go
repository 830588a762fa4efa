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
	"makegood.example/services/platform/money"
)

// RefundWish is what a person asks to give back.
type RefundWish struct {
	ID      uuid.UUID
	OrderID uuid.UUID
	// AmountMinor is 0 for all that is left.
	AmountMinor int64
	// ChargeID names a charge of the order; empty is the one that paid it.
	ChargeID string
	Reason   string
	Actor    string
	// DryRun: nothing is written and Stripe is not asked.
	DryRun bool
}

// errDryRun undoes what a dry run wrote.
var errDryRun = errors.New("a dry run")

// Refund gives money back. The wish is written first, and its id is Stripe's
// key: a double click, a lost answer and a second try are one refund. In a dry run it
// answers with the refund that would be made, without a status. Errors:
// those of payment.Payment.CheckRefund, payment.ErrRefundRunning,
// payment.ErrOtherCharge.
func (s *Service) Refund(ctx context.Context, w RefundWish) (payment.Refund, error) {
	ctx, cancel := detach(ctx)
	defer cancel()
	second, err := s.secondCharge(ctx, w)
	if err != nil {
		return payment.Refund{}, err
	}
	var seen *payment.ChargeNow
	if second == nil {
		seen = s.lookBeforeRefund(ctx, w)
	}
	r, err := s.beginRefund(ctx, w, second, seen)
	if errors.Is(err, errDryRun) {
		r.Status = ""
		return r, nil
	}
	if seen != nil && !w.DryRun && (errors.Is(err, payment.ErrRefundTooLarge) || errors.Is(err, payment.ErrDisputed)) {
		s.recordSeen(ctx, w.OrderID)
	}
	if err != nil || w.DryRun || r.Status != payment.RefundRequested {
		return r, err
	}
	return s.driveRefund(ctx, r)
}

// lookBeforeRefund reads the charge before a new wish is written: what somebody has
// given back in Stripe's dashboard, or a bank has taken, may not be known here yet, and
// to ask on top of it would be refused as if the customer had nothing. nil when it
// cannot be read; then Stripe says what it thinks of the wish.
func (s *Service) lookBeforeRefund(ctx context.Context, w RefundWish) *payment.ChargeNow {
	if _, err := s.Store.Refund(ctx, nil, w.ID); !errors.Is(err, store.ErrNone) {
		return nil // asked again
	}
	p, err := s.Store.Last(ctx, w.OrderID)
	if err != nil || p.Status != payment.Succeeded || p.ChargeID == "" {
		return nil
	}
	c, err := s.Stripe.GetCharge(ctx, p.ChargeID)
	if err != nil {
		return nil
	}
	return &c
}

// recordSeen records what was seen to have become of an order's charge, and tells
// Orders. Whatever stands in the way, its event and the sweep do the same.
func (s *Service) recordSeen(ctx context.Context, orderID uuid.UUID) {
	p, err := s.Store.Last(ctx, orderID)
	if err == nil {
		var k wire.Known
		if k, _, err = s.readCharge(ctx, p); err == nil {
			err = s.tellOfCharge(ctx, k)
		}
	}
	if err != nil {
		s.Log.WarnContext(ctx, "what became of a charge is not recorded yet", "order_id", orderID, "error", err)
	}
}

func (s *Service) beginRefund(ctx context.Context, w RefundWish, second *payment.Payment, seen *payment.ChargeNow) (r payment.Refund, err error) {
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
		// Read under the lock: the same wish a moment ago may have used up the charge.
		if r, err = s.Store.Refund(ctx, tx, w.ID); !errors.Is(err, store.ErrNone) {
			return err
		}
		charge := ""
		if id := p.ID; second != nil {
			p, charge = *second, second.ChargeID
			p.ID = id // the order's payment keeps the refund, and is not changed by it
		}
		if seen != nil {
			p.RefundedMinor = max(p.RefundedMinor, seen.RefundedMinor)
			if seen.Dispute != "" {
				p.Dispute = seen.Dispute
			}
		}
		amount, err := p.CheckRefund(w.AmountMinor)
		if err != nil {
			return err
		}
		r = payment.Refund{
			ID: w.ID, PaymentID: p.ID, OrderID: p.OrderID, ChargeID: charge, AmountMinor: amount, Currency: p.ReceivedCurrency,
			Status: payment.RefundRequested, Reason: w.Reason, Actor: w.Actor, CreatedAt: now, CreateTry: 1, TriedAt: now, NextLookAt: &due,
		}
		if err := s.Store.InsertRefund(ctx, tx, r); err != nil || !w.DryRun {
			return err
		}
		return errDryRun
	})
	if errors.Is(err, store.ErrTaken) || err == nil && (r.OrderID != w.OrderID || w.AmountMinor != 0 && w.AmountMinor != r.AmountMinor) {
		return r, payment.ErrRefundOther
	}
	return r, err
}

// driveRefund asks Stripe for a refund that is written, and reads the charge to
// learn what came of it: an answer can be lost, and a key can be too old or hold
// an error of Stripe's own. Only then is Stripe asked under another key.
func (s *Service) driveRefund(ctx context.Context, r payment.Refund) (payment.Refund, error) {
	p, err := s.Store.Last(ctx, r.OrderID)
	if err != nil {
		return r, err
	}
	if r.ChargeID != "" {
		return s.driveSecond(ctx, r, p)
	}
	asked := stripegw.ErrKeyReused // too old to ask again: read first
	if s.Now().Sub(r.TriedAt) < keyLife {
		asked = s.Stripe.CreateRefund(ctx, r, p.ChargeID)
	}
	k, c, err := s.readCharge(ctx, p)
	if cause := errors.Join(asked, err); cause != nil {
		s.Log.WarnContext(ctx, "stripe did not plainly make a refund", "order_id", r.OrderID, "error", cause)
		s.reportNoAccess(ctx, cause)
	}
	var gone error
	if err == nil && !c.Shows(r.ID) {
		if errors.Is(asked, stripegw.ErrRefused) && c.RefundedMinor+r.AmountMinor > p.ReceivedMinor {
			// It went back another way meanwhile: the customer lacks nothing.
			gone, err = payment.ErrRefundTooLarge, s.Store.RefuseRefund(ctx, r.ID, s.Now())
		} else {
			err = s.notMade(ctx, r, c, asked)
		}
	}
	if err != nil {
		return s.Store.Refund(ctx, nil, r.ID) // written, and looked at again
	}
	if r, err = s.Store.Refund(ctx, nil, r.ID); err != nil {
		return r, err
	}
	if err := s.tellOfCharge(ctx, k); err != nil {
		// What Stripe did is done; its event tells Orders once more.
		s.Log.WarnContext(ctx, "orders was not told of a refund", "order_id", r.OrderID, "error", err)
	}
	return r, gone
}

// notMade records why Stripe shows no refund after it was asked for one.
func (s *Service) notMade(ctx context.Context, r payment.Refund, c payment.ChargeNow, asked error) error {
	switch {
	case errors.Is(asked, stripegw.ErrRefused):
		// Whoever asked may have gone: a definite no is for a person.
		if err := s.Cases.OpenFailedRefund(ctx, r.OrderID, fmt.Sprintf("Stripe refuses refund %s of charge %s: the customer does not have the money back", r.ID, c.ID)); err != nil {
			return err
		}
		return s.Store.RefuseRefund(ctx, r.ID, s.Now())
	case errors.Is(asked, stripegw.ErrKeyReused):
		return s.Store.NextRefundTry(ctx, r, s.Now())
	default:
		return nil
	}
}

// readCharge asks Stripe how the payment's charge stands now, records it, and
// opens cases for what needs a person.
func (s *Service) readCharge(ctx context.Context, p payment.Payment) (wire.Known, payment.ChargeNow, error) {
	readAt := s.Now()
	c, err := s.Stripe.GetCharge(ctx, p.ChargeID)
	if err != nil {
		return wire.Known{}, c, err
	}
	before, err := s.Store.Refunds(ctx, p.OrderID)
	if err != nil {
		return wire.Known{}, c, err
	}
	// The cases come first: what is saved here is not reported again.
	if err := s.chargeCases(ctx, p, c, before); err != nil {
		return wire.Known{}, c, err
	}
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		newer, err := s.Store.SaveCharge(ctx, tx, p.ID, c, readAt, s.Now())
		if err != nil || !newer {
			return err
		}
		for _, r := range c.Refunds {
			if err := s.Store.SaveStripeRefund(ctx, tx, s.refundRow(p, r, before), s.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return wire.Known{}, c, err
	}
	k, err := s.known(ctx, p.ID)
	return k, c, err
}

// refundRow is our row of a refund that Stripe shows; before are the rows there are.
func (s *Service) refundRow(p payment.Payment, r payment.StripeRefund, before []payment.Refund) payment.Refund {
	row := payment.Refund{
		ID: r.RefundID, PaymentID: p.ID, OrderID: p.OrderID, StripeID: r.ID, AmountMinor: r.AmountMinor,
		Currency: r.Currency, Status: r.Status, Reason: "made at Stripe", CreatedAt: r.CreatedAt,
	}
	if row.ID == uuid.Nil {
		row.ID = payment.RefundIDFor(p.ID, r.ID)
	}
	for _, b := range before {
		if b.StripeID == r.ID {
			row.ID = b.ID // whatever somebody has since made of its metadata
		}
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
		return s.Cases.OpenDispute(ctx, p.OrderID, disputed(c))
	}
	return nil
}

// disputed says what a person must know who answers a dispute; the date above all.
func disputed(c payment.ChargeNow) string {
	a := c.ToAnswer
	if a.By.IsZero() {
		return fmt.Sprintf("charge %s is disputed: answer it at Stripe, do not refund", c.ID)
	}
	return fmt.Sprintf("%s of charge %s is disputed (%s): answer it at Stripe by %s, do not refund",
		money.Display(a.AmountMinor, a.Currency), c.ID, a.Reason, a.By.Format("2 January 2006, 15:04 UTC"))
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
	if r.ChargeID != "" && r.Status != payment.RefundRequested {
		return s.lookAtSecond(ctx, r)
	}
	if r.Status == payment.RefundRequested {
		now, err := s.driveRefund(ctx, r)
		if errors.Is(err, payment.ErrRefundTooLarge) {
			return nil // it is over
		}
		if err != nil || now.Status != payment.RefundRequested || r.LookCount < caseAfterLooks {
			return err
		}
		return s.Cases.OpenFailedRefund(ctx, r.OrderID, fmt.Sprintf("Stripe has given no definite word on refund %s in %d looks", r.ID, r.LookCount))
	}
	p, err := s.Store.Last(ctx, r.OrderID)
	if err != nil {
		return err
	}
	k, _, err := s.readCharge(ctx, p)
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
