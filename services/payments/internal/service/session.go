package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/wire"
)

// createSession gives the payment a page of Stripe's and saves its id, before
// anyone is told where it is.
func (s *Service) createSession(ctx context.Context, p payment.Payment, buyer payment.Purchase) (wire.Known, error) {
	customerID, err := s.customer(ctx, p.EmailKey)
	if err != nil {
		return s.unknown(ctx, p, "creating the customer", err)
	}
	p.CustomerID = customerID
	ref := "?ref=" + p.Reference.String()
	page := func() (payment.Session, error) {
		return s.Stripe.CreateSession(ctx, p, s.Settings.PublicURL+"/welcome"+ref, s.Settings.PublicURL+"/payment-issue"+ref)
	}
	var session payment.Session
	if s.Now().Sub(p.CreatedAt) >= keyLife {
		session, err = s.findPage(ctx, &p, buyer) // too old to ask again: read first
	}
	if err == nil && session.ID == "" {
		if session, err = page(); errors.Is(err, stripegw.ErrNoCustomer) {
			if p, err = s.otherCustomer(ctx, p); err == nil {
				session, err = page()
			}
		}
	}
	if errors.Is(err, stripegw.ErrKeyReused) {
		if session, err = s.findPage(ctx, &p, buyer); err == nil && session.ID == "" {
			err = fmt.Errorf("%w: the page was not created; the next try uses a new key", stripegw.ErrUnknown)
		}
	}
	if err != nil {
		return s.unknown(ctx, p, "creating the checkout session", err)
	}
	saved, err := s.Store.SaveSession(ctx, p.ID, p.CustomerID, session, s.Now())
	if err != nil {
		return wire.Known{}, err
	}
	if saved {
		return s.recordSession(ctx, p.ID, session)
	}
	now, err := s.Store.Last(ctx, p.OrderID)
	if err != nil {
		return wire.Known{}, err
	}
	if now.SessionID == session.ID { // saved by a parallel call, which may have closed it since
		return s.read(ctx, now)
	}
	// Given up meanwhile.
	if err := s.Stripe.ExpireSession(ctx, session.ID); err != nil && !errors.Is(err, stripegw.ErrRefused) {
		return s.unknown(ctx, now, "closing a checkout session that came too late", err)
	}
	return s.known(ctx, now.ID)
}

// findPage looks for a page whose creation was not answered: of two, the buyer would
// pay on one, and the other would stay open. When there is none, it moves p to a new
// key and returns no page.
func (s *Service) findPage(ctx context.Context, p *payment.Payment, buyer payment.Purchase) (payment.Session, error) {
	session, err := s.Stripe.FindSession(ctx, p.CustomerID, p.OrderID.String(), buyer.OrderedAt.Add(-searchBefore))
	over := err == nil && session.Status == payment.SessionExpired // an earlier one, given up before
	if !over && !errors.Is(err, stripegw.ErrNotFound) {
		return session, err
	}
	p.CreateTry, err = s.Store.NextCreateTry(ctx, *p)
	return payment.Session{}, err
}

// recordSession records what Stripe says of a session: its intent, once the
// buyer has paid there.
func (s *Service) recordSession(ctx context.Context, id uuid.UUID, session payment.Session) (k wire.Known, err error) {
	if session.Settled() {
		return s.record(ctx, id, session.Intent, false, nil)
	}
	if session.Uncharged() {
		if err := s.reportUncharged(ctx, id, session.ID); err != nil {
			return k, err
		}
	}
	now := s.Now()
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		p, err := s.Store.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		attempts, err := s.Store.Attempts(ctx, tx, id)
		if err != nil {
			return err
		}
		was := p.PageEnd()
		p.LearnSession(session, attempts, now)
		k = wire.Known{Payment: p, Last: last(attempts)}
		if err := s.Store.Update(ctx, tx, p, now); err != nil {
			return err
		}
		if p.PageEnd() != was {
			if err := s.Store.Wake(ctx, tx, now, p.PageEnd()); err != nil {
				return err
			}
		}
		if k.Last == nil {
			return nil
		}
		return s.Store.UpdateAttempt(ctx, tx, *k.Last)
	})
	return k, err
}

// reportUncharged opens a case about a page that was finished without a charge,
// when that is seen first.
func (s *Service) reportUncharged(ctx context.Context, id uuid.UUID, sessionID string) error {
	k, err := s.known(ctx, id)
	if err != nil || k.Payment.Status == payment.Succeeded || k.Payment.Status == payment.Processing {
		return err
	}
	return s.Cases.OpenUnknownPayment(ctx, k.Payment.OrderID, fmt.Sprintf(
		"the buyer of order %s finished checkout session %s, and Stripe charged nothing for it: nobody got access for it", k.Payment.OrderID, sessionID))
}

// cancelSession closes the page, unless the buyer has paid there.
func (s *Service) cancelSession(ctx context.Context, p payment.Payment) (wire.Known, error) {
	if err := s.Stripe.ExpireSession(ctx, p.SessionID); errors.Is(err, stripegw.ErrUnknown) {
		return s.unknown(ctx, p, "closing the checkout session", err)
	}
	return s.read(ctx, p)
}

// endPage closes the page of an order for which other money is written down, so that
// it cannot be paid there, too. Errors: stripegw.ErrUnknown when Stripe does not say
// that the page is over.
func (s *Service) endPage(ctx context.Context, p payment.Payment) (payment.Payment, error) {
	if p.SessionID == "" || p.PageEnd() != "" {
		return p, nil
	}
	if err := s.Stripe.ExpireSession(ctx, p.SessionID); errors.Is(err, stripegw.ErrUnknown) {
		return p, err
	}
	k, err := s.ask(ctx, p)
	switch {
	case errors.Is(err, stripegw.ErrNotFound):
		return p, nil
	case err == nil && k.Payment.PageEnd() == "":
		err = fmt.Errorf("session %s is open, and was to be closed: %w", p.SessionID, stripegw.ErrUnknown)
	}
	return k.Payment, err
}

// handleSession follows a page of Stripe's. The event only says where to look.
func (s *Service) handleSession(ctx context.Context, n news, w whose) (verdict, error) {
	p := w.payment
	switch known := p.IntentID != "" || p.SessionID != ""; {
	case !known && n.kind == checkoutOver && p.Status == payment.Canceled:
		// Made by a call whose answer was lost, and given up before it was saved.
		return ignored(w.method, "a page that nobody was told of is over")
	case !known:
		return verdict{}, fmt.Errorf("session %s is not saved yet", n.SessionID)
	}
	k, err := s.ask(ctx, p)
	if err != nil {
		return verdict{}, err
	}
	if k.Payment.Says(k.Last) == payment.Unknown {
		return verdict{}, fmt.Errorf("session %s could not be read", n.SessionID)
	}
	return s.tellOrders(ctx, k, w.method)
}
