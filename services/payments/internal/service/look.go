package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/clients"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/wire"
)

// Look reads Stripe and answers with what is known. It moves no money.
func (s *Service) Look(ctx context.Context, buyer payment.Purchase) (wire.Known, error) {
	ctx, cancel := detach(ctx)
	defer cancel()
	p, err := s.find(ctx, buyer)
	switch {
	case errors.Is(err, stripegw.ErrNotFound), noWord(err):
		return s.nothing(ctx, buyer, err), nil
	case err != nil:
		return wire.Known{}, err
	case p.Status == payment.Succeeded || p.IntentID == "" && p.SessionID == "":
		return s.known(ctx, p.ID)
	}
	return s.read(ctx, p)
}

// find returns the order's payment. When we have none, it may be that our
// records were lost: Stripe is asked by the buyer's customers and the time.
// Errors: stripegw.ErrNotFound, when Stripe says there is none either.
func (s *Service) find(ctx context.Context, buyer payment.Purchase) (payment.Payment, error) {
	p, err := s.Store.Last(ctx, buyer.OrderID)
	if !errors.Is(err, store.ErrNone) {
		return p, err
	}
	in, err := s.search(ctx, buyer)
	if errors.Is(err, stripegw.ErrNotFound) {
		// It may be paid on a page of Stripe's, where a subscription's intent names nobody.
		session, err := s.searchSession(ctx, buyer)
		if err != nil {
			return payment.Payment{}, err
		}
		return s.restoreSession(ctx, buyer, session)
	}
	if err != nil {
		return payment.Payment{}, err
	}
	return s.restore(ctx, buyer, in, 1)
}

// search looks for an order's intent at Stripe among those of all customers
// with the buyer's address. Errors: stripegw.ErrNotFound.
func (s *Service) search(ctx context.Context, buyer payment.Purchase) (payment.Intent, error) {
	return searchWith(ctx, s, buyer, s.Stripe.FindIntent)
}

// searchSession looks for the page of Stripe's on which an order is paid.
// Errors: stripegw.ErrNotFound.
func (s *Service) searchSession(ctx context.Context, buyer payment.Purchase) (payment.Session, error) {
	return searchWith(ctx, s, buyer, s.Stripe.FindSession)
}

func searchWith[T any](ctx context.Context, s *Service, buyer payment.Purchase, find func(ctx context.Context, customerID, orderID string, since time.Time) (T, error)) (none T, err error) {
	customers, err := s.Stripe.FindCustomers(ctx, buyer.Email)
	if err != nil {
		return none, err
	}
	for _, customerID := range customers {
		found, err := find(ctx, customerID, buyer.OrderID.String(), buyer.OrderedAt.Add(-searchBefore))
		if !errors.Is(err, stripegw.ErrNotFound) {
			return found, err
		}
	}
	return none, stripegw.ErrNotFound
}

// noWord says whether Stripe left a question unanswered.
func noWord(err error) bool {
	return errors.Is(err, stripegw.ErrUnknown) || errors.Is(err, stripegw.ErrRefused)
}

// nothing is what is known of an order without any record here: unknown.
func (s *Service) nothing(ctx context.Context, buyer payment.Purchase, cause error) wire.Known {
	s.Log.InfoContext(ctx, "no record of a payment of this order, here or found at Stripe", "order_id", buyer.OrderID, "cause", cause)
	s.reportNoAccess(ctx, cause)
	return wire.Known{Payment: payment.Payment{OrderID: buyer.OrderID}}
}

// reportNoAccess opens the one case about a key that Stripe refuses. If it
// cannot be opened now, the next answer of that kind tries again.
func (s *Service) reportNoAccess(ctx context.Context, cause error) {
	if !errors.Is(cause, stripegw.ErrNoAccess) {
		return
	}
	if err := s.Cases.OpenStripeAccess(ctx); err != nil {
		s.Log.ErrorContext(ctx, "stripe refuses our key, and no case could be opened", "error", err)
	}
}

// restore writes the payment of an intent that only Stripe still knew, as the
// order's number seq.
func (s *Service) restore(ctx context.Context, buyer payment.Purchase, in payment.Intent, seq int32) (payment.Payment, error) {
	s.Log.WarnContext(ctx, "a payment was lost here and found at Stripe", "order_id", buyer.OrderID, "payment_intent_id", in.ID)
	p := newPayment(buyer, seq, s.Now())
	p.IntentID, p.CustomerID, p.ClientSecret, p.Status = in.ID, in.CustomerID, in.ClientSecret, payment.RequiresPaymentMethod
	return s.insertFound(ctx, p, buyer)
}

// restoreSession writes the payment of a page that only Stripe still knew.
func (s *Service) restoreSession(ctx context.Context, buyer payment.Purchase, session payment.Session) (payment.Payment, error) {
	s.Log.WarnContext(ctx, "a payment on Stripe's page was lost here and found at Stripe", "order_id", buyer.OrderID, "checkout_session_id", session.ID)
	p := newPayment(buyer, 1, s.Now())
	p.SessionID, p.CustomerID, p.RedirectURL, p.Status = session.ID, session.CustomerID, session.URL, payment.RequiresAction
	return s.insertFound(ctx, p, buyer)
}

func (s *Service) insertFound(ctx context.Context, p payment.Payment, buyer payment.Purchase) (payment.Payment, error) {
	err := s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.Store.Insert(ctx, tx, p, buyer); err != nil {
			return err
		}
		if err := s.Store.Update(ctx, tx, p, s.Now()); err != nil {
			return err
		}
		return s.Store.Wake(ctx, tx, s.Now(), p.IntentID, p.SessionID, p.CustomerID)
	})
	if errors.Is(err, store.ErrTaken) {
		return s.Store.Last(ctx, buyer.OrderID) // restored by a parallel call
	}
	return p, err
}

// LookAtAttempt is the attempt's own look: it reads Stripe and, when there is
// a definite word, tells Orders.
func (s *Service) LookAtAttempt(ctx context.Context, a payment.Attempt) error {
	ctx, cancel := detach(ctx)
	defer cancel()
	k, err := s.known(ctx, a.PaymentID)
	if err != nil {
		return err
	}
	if k.Payment.IntentID != "" || k.Payment.SessionID != "" {
		if k, err = s.read(ctx, k.Payment); err != nil {
			return err
		}
	}
	if k.Last != nil && k.Last.ID == a.ID && !k.Last.Status.Decided() {
		return s.escalate(ctx, a, k)
	}
	_, err = s.Orders.Advance(ctx, k, clients.Rescue)
	return err
}

// escalate makes an attempt without a definite word a case for a person; the
// looks go on. Waiting for the buyer or the bank is no reason.
func (s *Service) escalate(ctx context.Context, a payment.Attempt, k wire.Known) error {
	if k.Last.Status != payment.Open || a.LookCount < caseAfterLooks {
		return nil
	}
	return s.Cases.OpenUnknownPayment(ctx, a.OrderID, fmt.Sprintf(
		"Stripe has given no definite word on the payment of this order in %d looks; intent %q", a.LookCount, k.Payment.IntentID))
}

// ClaimDueAttempts takes attempts that are due for a look.
func (s *Service) ClaimDueAttempts(ctx context.Context, limit int) ([]payment.Attempt, error) {
	return s.Store.ClaimDueAttempts(ctx, s.Now(), s.Settings.RescueAfter, limit)
}

// ResumeAtStart makes what was in hand when Payments last stopped due now.
func (s *Service) ResumeAtStart(ctx context.Context) error {
	n, err := s.Store.MakeAttemptsDue(ctx, s.Now())
	if n > 0 {
		s.Log.InfoContext(ctx, "attempts were in hand when this service last stopped; looking at them now", "count", n)
	}
	return err
}
