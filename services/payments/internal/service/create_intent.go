package service

import (
	"context"
	"errors"
	"fmt"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
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
	if s.Now().Sub(p.CreatedAt) >= keyLife {
		in, err = s.findIntent(ctx, &p, buyer) // too old to ask again: read first
	}
	if err == nil && in.ID == "" {
		if in, err = s.Stripe.CreateIntent(ctx, p); errors.Is(err, stripegw.ErrNoCustomer) {
			if p, err = s.otherCustomer(ctx, p); err == nil {
				in, err = s.Stripe.CreateIntent(ctx, p)
			}
		}
	}
	if errors.Is(err, stripegw.ErrKeyReused) || errors.Is(err, stripegw.ErrRefused) {
		if in, err = s.findIntent(ctx, &p, buyer); err == nil && in.ID == "" {
			err = fmt.Errorf("%w: the intent was not created; the next try uses a new key", stripegw.ErrUnknown)
		}
	}
	if err != nil {
		return p, err
	}
	saved, err := s.Store.SaveIntent(ctx, p.ID, in, s.Now())
	if err != nil {
		return p, err
	}
	if !saved {
		return s.discard(ctx, p, in)
	}
	p.IntentID, p.ClientSecret, p.Status = in.ID, in.ClientSecret, payment.RequiresPaymentMethod
	return p, nil
}

// findIntent looks for an intent whose creation was not answered. When there is
// none, it moves p to a new key and returns no intent.
func (s *Service) findIntent(ctx context.Context, p *payment.Payment, buyer payment.Purchase) (payment.Intent, error) {
	in, err := s.Stripe.FindIntent(ctx, p.CustomerID, p.OrderID.String(), buyer.OrderedAt.Add(-searchBefore))
	if errors.Is(err, stripegw.ErrNotFound) {
		// When our records were lost, it may be with another Customer of the address.
		in, err = s.search(ctx, buyer)
	}
	canceled := err == nil && in.Status == payment.StripeCanceled // an earlier one, given up before
	if !canceled && !errors.Is(err, stripegw.ErrNotFound) {
		return in, err
	}
	p.CreateTry, err = s.Store.NextCreateTry(ctx, *p)
	return payment.Intent{}, err
}

// discard cancels an intent that came too late: never confirmed, it must not
// stay payable. The same intent saved by a parallel call is kept.
func (s *Service) discard(ctx context.Context, p payment.Payment, in payment.Intent) (payment.Payment, error) {
	now, err := s.Store.Last(ctx, p.OrderID)
	if err != nil {
		return p, err
	}
	switch {
	case now.IntentID == in.ID && now.Status == payment.Canceled:
		return p, errGivenUp
	case now.IntentID == in.ID:
		return now, nil
	}
	if _, err := s.Stripe.CancelIntent(ctx, payment.CancelKey(in.ID, s.Now()), in.ID); err != nil {
		return p, err
	}
	return p, errGivenUp
}

// customer returns the Stripe Customer of an address and creates it once.
func (s *Service) customer(ctx context.Context, emailKey string) (string, error) {
	c, err := s.Store.Customer(ctx, emailKey)
	if err != nil || c.ID != "" {
		return c.ID, err
	}
	id := ""
	if s.Now().Sub(c.TriedAt) >= keyLife {
		id, err = s.findCustomer(ctx, &c) // too old to ask again: read first
	}
	if err == nil && id == "" {
		id, err = s.Stripe.CreateCustomer(ctx, c.CreateKey(), c.Email, c.Name)
	}
	if errors.Is(err, stripegw.ErrKeyReused) {
		if id, err = s.findCustomer(ctx, &c); err == nil && id == "" {
			err = fmt.Errorf("%w: the customer was not created; the next try uses a new key", stripegw.ErrUnknown)
		}
	}
	if err != nil {
		return "", err
	}
	return id, s.Store.SaveCustomer(ctx, emailKey, id, s.Now())
}

// findCustomer looks for a Customer whose creation was not answered. When
// Stripe says that there is none, it moves c to a new key and returns no id.
func (s *Service) findCustomer(ctx context.Context, c *store.Customer) (string, error) {
	ids, err := s.Stripe.FindCustomers(ctx, c.Email)
	if err != nil {
		return "", err
	}
	if len(ids) > 0 {
		return ids[len(ids)-1], nil // the oldest
	}
	*c, err = s.Store.NextCustomerTry(ctx, *c, s.Now())
	return "", err
}
