package service

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/wire"
)

// Cancel makes sure that an order can no longer be charged. Stripe decides: if
// it was paid meanwhile, the answer is that it was paid.
func (s *Service) Cancel(ctx context.Context, buyer payment.Purchase, attemptID uuid.UUID) (wire.Known, error) {
	ctx, cancel := detach(ctx)
	defer cancel()
	if _, err := s.find(ctx, buyer); noWord(err) {
		return s.nothing(ctx, buyer, err), nil
	} else if err != nil && !errors.Is(err, stripegw.ErrNotFound) {
		return wire.Known{}, err
	}
	// The attempt is written even if it never began, so that a Pay that comes
	// late finds it closed.
	p, _, err := s.begin(ctx, buyer, attemptID, "")
	if err != nil {
		return wire.Known{}, err
	}
	if p.Status == payment.Succeeded || p.Status == payment.Canceled {
		return s.known(ctx, p.ID)
	}
	if p.IntentID == "" && p.SessionID == "" {
		switch p, err = s.adoptUnsaved(ctx, p, buyer); {
		case errors.Is(err, stripegw.ErrNotFound):
			return s.giveUp(ctx, p)
		case errors.Is(err, stripegw.ErrUnknown):
			return s.unknown(ctx, p, "looking for what was made at Stripe and not saved", err)
		case err != nil:
			return wire.Known{}, err
		}
	}
	if p.IntentID == "" {
		return s.cancelSession(ctx, p)
	}
	if p.Term.InvoiceID != "" {
		return s.cancelFirstTerm(ctx, p)
	}
	in, err := s.Stripe.CancelIntent(ctx, payment.CancelKey(p.IntentID, s.Now()), p.IntentID)
	if errors.Is(err, stripegw.ErrUnknown) {
		return s.unknown(ctx, p, "canceling the payment intent", err)
	}
	if err != nil {
		return s.read(ctx, p) // paid, being paid or canceled already
	}
	return s.record(ctx, p.ID, in, false, nil)
}

// cancelFirstTerm makes a subscription's first invoice unpayable, and then ends
// the subscription, unless the invoice was paid: what never began renews nothing.
func (s *Service) cancelFirstTerm(ctx context.Context, p payment.Payment) (wire.Known, error) {
	now := s.Now()
	if err := s.Stripe.VoidInvoice(ctx, payment.CancelKey(p.Term.InvoiceID, now), p.Term.InvoiceID); errors.Is(err, stripegw.ErrUnknown) {
		return s.unknown(ctx, p, "voiding the first invoice", err)
	}
	in, err := s.readIntent(ctx, p, p.IntentID)
	if err == nil && in.Status == payment.StripeCanceled {
		err = s.Stripe.CancelSubscription(ctx, payment.CancelKey(p.Term.SubscriptionID, now), p.Term.SubscriptionID)
		if errors.Is(err, stripegw.ErrNotFound) || errors.Is(err, stripegw.ErrRefused) {
			err = nil // it is over already
		}
	}
	if err != nil {
		return s.unknown(ctx, p, "ending a subscription that did not begin", err)
	}
	return s.record(ctx, p.ID, in, false, nil)
}

// adoptUnsaved looks for an intent or a page whose creation was not answered, and
// saves its id: what is given up here must not stay payable at Stripe. Errors:
// stripegw.ErrNotFound when there is none that could be paid.
func (s *Service) adoptUnsaved(ctx context.Context, p payment.Payment, buyer payment.Purchase) (payment.Payment, error) {
	c, err := s.Store.Customer(ctx, p.EmailKey)
	if err != nil {
		return p, err
	}
	if c.ID == "" {
		return p, stripegw.ErrNotFound // either is created only for a customer that is saved
	}
	in, err := s.Stripe.FindIntent(ctx, c.ID, p.OrderID.String(), buyer.OrderedAt.Add(-searchBefore))
	switch {
	case errors.Is(err, stripegw.ErrNotFound), err == nil && in.Status == payment.StripeCanceled: // an earlier one, given up before
		return s.adoptUnsavedPage(ctx, p, c.ID, buyer)
	case err != nil:
		return p, err
	}
	// When it is not saved, the payment was given up meanwhile: canceled all the same.
	if _, err := s.Store.SaveIntent(ctx, p.ID, in, s.Now()); err != nil {
		return p, err
	}
	p.IntentID, p.CustomerID = in.ID, in.CustomerID
	return p, nil
}

// adoptUnsavedPage is adoptUnsaved for a page of Stripe's.
func (s *Service) adoptUnsavedPage(ctx context.Context, p payment.Payment, customerID string, buyer payment.Purchase) (payment.Payment, error) {
	session, err := s.Stripe.FindSession(ctx, customerID, p.OrderID.String(), buyer.OrderedAt.Add(-searchBefore))
	if err != nil {
		return p, err
	}
	if session.Status == payment.SessionExpired {
		return p, stripegw.ErrNotFound
	}
	if _, err := s.Store.SaveSession(ctx, p.ID, customerID, session, s.Now()); err != nil {
		return p, err
	}
	p.SessionID, p.CustomerID = session.ID, customerID
	return p, nil
}

// giveUp closes a payment that has neither intent nor page. If one is being created
// at this moment, saving its id fails and it is canceled.
func (s *Service) giveUp(ctx context.Context, p payment.Payment) (k wire.Known, err error) {
	now := s.Now()
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		p, err := s.Store.Lock(ctx, tx, p.ID)
		if err != nil {
			return err
		}
		attempts, err := s.Store.Attempts(ctx, tx, p.ID)
		if err != nil {
			return err
		}
		k = wire.Known{Payment: p, Last: last(attempts)}
		if p.IntentID != "" || p.Status != payment.Creating {
			return nil // one came in between; the next look cancels it
		}
		p.Status = payment.Canceled
		k.Last.Decide(payment.AttemptCanceled, now)
		k.Payment = p
		if err := s.Store.Update(ctx, tx, p, now); err != nil {
			return err
		}
		return s.Store.UpdateAttempt(ctx, tx, *k.Last)
	})
	return k, err
}
