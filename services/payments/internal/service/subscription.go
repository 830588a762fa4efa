package service

import (
	"context"
	"errors"
	"fmt"

	"makegood.example/services/payments/internal/clients"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/webhook"
)

// Notes on a subscription of which nothing was learned.
const (
	noSuchSubscription = "Stripe says there is no such subscription"
	noTermPaid         = "no term of it is paid"
)

// handleSubscription follows the subscription that an event is about, or whose
// invoice it is. The event only says where to look, so that no order of arrival
// matters. attempt counts Stripe's deliveries.
func (s *Service) handleSubscription(ctx context.Context, n news, w whose, attempt int32) (verdict, error) {
	if n.SubscriptionID == "" {
		return ignored(w.method, "it names no subscription")
	}
	v, err := s.followFor(ctx, n, w.method, w.payment)
	if errors.Is(err, errNobody) && nobodysPolicy(n.kind, n.Livemode, attempt) == orphan {
		return verdict{status: store.Orphaned, method: w.method, note: err.Error(), waitsFor: []string{n.SubscriptionID}}, nil
	}
	return v, err
}

// followFor follows the subscription of an event, for a person if one is known. Errors: errNobody.
func (s *Service) followFor(ctx context.Context, n news, method string, person payment.Payment) (verdict, error) {
	note, err := s.followSubscription(ctx, n.SubscriptionID, person, clients.Webhook)
	switch {
	case errors.Is(err, stripegw.ErrNotFound):
		return quarantined(method, noSuchSubscription)
	case clients.IsCannotAdopt(err), errors.Is(err, errOtherSubscription): // a case is open
		return quarantined(method, err.Error())
	case err != nil:
		return verdict{}, err
	}
	return verdict{status: store.Processed, method: method, note: note}, nil
}

// followBehind follows what an intent or a charge without our marker may have
// paid: the subscription of its invoice, or those of its customer. It says
// whether the intent is known then, and reads Stripe only for a customer of ours.
func (s *Service) followBehind(ctx context.Context, about webhook.Subject) (known bool, err error) {
	if about.CustomerID == "" || about.IntentID == "" {
		return false, nil
	}
	if _, err := s.Store.ByCustomer(ctx, about.CustomerID); errors.Is(err, store.ErrNone) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	ids, err := s.Store.SubscriptionsOf(ctx, about.CustomerID)
	if err != nil {
		return false, err
	}
	if about.InvoiceID != "" {
		id, err := s.Stripe.SubscriptionOfInvoice(ctx, about.InvoiceID)
		if err != nil && !errors.Is(err, stripegw.ErrNotFound) {
			return false, err
		}
		if ids = nil; id != "" {
			ids = []string{id}
		}
	}
	for _, id := range ids {
		_, err := s.followSubscription(ctx, id, payment.Payment{}, clients.Webhook)
		switch {
		case err == nil, errors.Is(err, stripegw.ErrNotFound):
		case errors.Is(err, errNobody), errors.Is(err, errOtherSubscription), clients.IsCannotAdopt(err): // a case is open
		default:
			return false, err
		}
	}
	if len(ids) == 0 {
		return false, nil
	}
	if _, err = s.Store.ByIntent(ctx, about.IntentID); errors.Is(err, store.ErrNone) {
		return false, nil
	}
	return err == nil, err
}

// otherCustomer gives a payment another Customer, when Stripe says that the one
// it named is gone, and another key to ask under.
func (s *Service) otherCustomer(ctx context.Context, p payment.Payment) (payment.Payment, error) {
	s.Log.WarnContext(ctx, "a customer is gone at Stripe; another one is made", "order_id", p.OrderID, "customer_id", p.CustomerID)
	if err := s.Store.ForgetCustomer(ctx, p.CustomerID, s.Now()); err != nil {
		return p, err
	}
	var err error
	if p.CreateTry, err = s.Store.NextCreateTry(ctx, p); err != nil {
		return p, err
	}
	if p.CustomerID, err = s.customer(ctx, p.EmailKey); err != nil {
		return p, fmt.Errorf("customer: %w", err)
	}
	return p, nil
}
