package service

import (
	"context"
	"errors"
	"fmt"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/stripegw"
)

// errGivenUp: the payment no longer wants an intent.
var errGivenUp = errors.New("the payment was given up meanwhile")

// createIntent gives the payment an intent at Stripe and saves its id. Nothing
// can be charged before that, because an intent is confirmed only by saved id.
func (s *Service) createIntent(ctx context.Context, p payment.Payment, buyer payment.Purchase) (payment.Payment, error) {
	customerID, err := s.customer(ctx, p.EmailKey)
	if err != nil {
		return p, fmt.Errorf("customer: %w", err)
	}
	p.CustomerID = customerID
	var in payment.Intent
	if s.Now().Sub(p.CreatedAt) < keyLife {
		in, err = s.Stripe.CreateIntent(ctx, p)
	} else {
		err = stripegw.ErrKeyReused // too old to ask again: read first
	}
	if errors.Is(err, stripegw.ErrKeyReused) || errors.Is(err, stripegw.ErrRefused) {
		in, err = s.findIntent(ctx, p, buyer)
	}
	if err != nil {
		return p, err
	}
	saved, err := s.Store.SaveIntent(ctx, p.ID, in, s.Now())
	if err != nil {
		return p, err
	}
	if !saved {
		return p, s.discard(ctx, p, in)
	}
	p.IntentID, p.ClientSecret, p.Status = in.ID, in.ClientSecret, payment.RequiresPaymentMethod
	return p, nil
}

// findIntent looks for an intent whose creation was not answered. When there is
// none, the next try creates one under a new key.
func (s *Service) findIntent(ctx context.Context, p payment.Payment, buyer payment.Purchase) (payment.Intent, error) {
	in, err := s.Stripe.FindIntent(ctx, p.CustomerID, p.OrderID.String(), buyer.OrderedAt.Add(-searchBefore))
	if !errors.Is(err, stripegw.ErrNotFound) {
		return in, err
	}
	if err := s.Store.NextCreateTry(ctx, p); err != nil {
		return in, err
	}
	return in, fmt.Errorf("%w: the intent was not created; the next try uses a new key", stripegw.ErrUnknown)
}

// discard cancels an intent that came too late: never confirmed, it must not
// stay payable. The same intent saved by a parallel call is kept.
func (s *Service) discard(ctx context.Context, p payment.Payment, in payment.Intent) error {
	now, err := s.Store.Last(ctx, p.OrderID)
	if err != nil {
		return err
	}
	if now.IntentID == in.ID {
		return nil
	}
	if _, err := s.Stripe.CancelIntent(ctx, p.CancelKey(s.Now()), in.ID); err != nil {
		return err
	}
	return errGivenUp
}

// customer returns the Stripe Customer of an address and creates it once.
func (s *Service) customer(ctx context.Context, emailKey string) (string, error) {
	c, err := s.Store.Customer(ctx, emailKey)
	if err != nil || c.ID != "" {
		return c.ID, err
	}
	id := ""
	if s.Now().Sub(c.CreatedAt) < keyLife {
		id, err = s.Stripe.CreateCustomer(ctx, c.FirstOrder, c.Email, c.Name)
	} else {
		err = stripegw.ErrKeyReused
	}
	if errors.Is(err, stripegw.ErrKeyReused) {
		// A Customer that we cannot ask for by key: one with this address will do,
		// and without one the order waits rather than makes a second.
		var ids []string
		if ids, err = s.Stripe.FindCustomers(ctx, c.Email); err == nil && len(ids) == 0 {
			err = fmt.Errorf("%w: no customer to be found", stripegw.ErrUnknown)
		} else if err == nil {
			id = ids[len(ids)-1] // the oldest
		}
	}
	if err != nil {
		return "", err
	}
	return id, s.Store.SaveCustomer(ctx, emailKey, id)
}
