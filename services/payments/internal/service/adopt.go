package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"makegood.example/services/payments/internal/clients"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/wire"
)

// adopt hands Orders money of ours whose order it does not have: lost with a
// restored backup, for example.
func (s *Service) adopt(ctx context.Context, k wire.Known) (clients.Told, error) {
	if k.Payment.RenewsOrderID != uuid.Nil {
		return s.adoptRenewal(ctx, k)
	}
	c, err := s.Store.Customer(ctx, k.Payment.EmailKey)
	if err != nil {
		return clients.Told{}, err
	}
	s.Log.WarnContext(ctx, "an order is not known to Orders although it is paid; it is adopted", "order_id", k.Payment.OrderID)
	return s.Orders.Adopt(ctx, k, c.Email, c.Name)
}

// adoptRenewal hands Orders a later term of a subscription, and first the order
// that began it when Orders does not have that one either.
func (s *Service) adoptRenewal(ctx context.Context, k wire.Known) (clients.Told, error) {
	if told, err := s.Orders.AdoptRenewal(ctx, k); !clients.IsOrderNotFound(err) {
		return told, err
	}
	if err := s.lostByOrders(ctx, k.Payment.Term.SubscriptionID); err != nil {
		return clients.Told{}, err
	}
	first, err := s.Store.Last(ctx, k.Payment.RenewsOrderID)
	if err != nil {
		return clients.Told{}, err
	}
	known, err := s.known(ctx, first.ID)
	if err != nil {
		return clients.Told{}, err
	}
	if _, err := s.adopt(ctx, known); err != nil {
		return clients.Told{}, err
	}
	return s.Orders.AdoptRenewal(ctx, k)
}

// handleUnknown handles a paid intent that carries our mark and is not known
// here: our own records were lost. It is read again, written down from what
// Stripe knows, and its order is adopted. method is how it is known as ours.
func (s *Service) handleUnknown(ctx context.Context, intentID, method string) (verdict, error) {
	in, err := s.Stripe.GetIntent(ctx, intentID)
	switch {
	case errors.Is(err, stripegw.ErrNotFound):
		return verdict{status: store.Quarantined, method: method, note: "Stripe says there is no such intent"}, nil
	case err != nil:
		return verdict{}, err
	case in.Status != payment.StripeSucceeded:
		return verdict{status: store.Ignored, method: method, note: "our mark, not known here, and not paid"}, nil
	}
	r, err := s.restoreIntent(ctx, in)
	switch {
	case err != nil:
		return verdict{}, err
	case r.missing != "":
		summary := fmt.Sprintf("charge %s carries our mark and is not known here; it has no %s", in.Charge.ID, r.missing)
		return quarantine(method, summary), s.Cases.OpenUnidentified(ctx, in.Charge.ID, summary)
	case r.other.OrderID != uuid.Nil:
		if in.Charge.Changed {
			c, err := s.readSecond(ctx, r.other, in.Charge.ID)
			if err != nil || c.RefundedMinor >= in.ReceivedMinor {
				return quarantine(method, fmt.Sprintf("a second payment for order %s, which went back", r.other.OrderID)), err
			}
		}
		summary := fmt.Sprintf("order %s %s, and %s was paid for it too, by %s", r.other.OrderID, r.other.Has(), in.ID, in.Charge.ID)
		return quarantine(method, summary), s.Cases.OpenDuplicate(ctx, r.other.OrderID, summary)
	}
	return s.tellOrders(ctx, r.known, method)
}

// restoration is what came of writing down the payment of a paid intent again.
type restoration struct {
	// missing names what the intent does not say; nothing was written then.
	missing string
	// other is the payment that its order has instead of this one.
	other payment.Payment
	known wire.Known
}

// restoreIntent writes down the payment of a paid intent from what Stripe knows,
// with what became of its charge since. It tells nobody.
func (s *Service) restoreIntent(ctx context.Context, in payment.Intent) (r restoration, err error) {
	buyer, missing, err := s.buyerOf(ctx, in)
	if err != nil || missing != "" {
		return restoration{missing: missing}, err
	}
	p, err := s.Store.Last(ctx, buyer.OrderID)
	if err == nil {
		p, err = s.endPage(ctx, p)
	}
	switch {
	case errors.Is(err, store.ErrNone):
		p, err = s.restore(ctx, buyer, in, 1)
	case err == nil && p.Status == payment.Canceled && p.IntentID != in.ID:
		p, err = s.restore(ctx, buyer, in, p.Seq+1) // what came after the canceled one was lost
	}
	if err != nil {
		return restoration{}, err
	}
	if p.IntentID != in.ID && (p.IntentID != "" || p.Status == payment.Succeeded) {
		return restoration{other: p}, nil
	}
	// What its order asks for is not known here: it may have been another amount.
	if in.AskedMinor, err = s.Stripe.AskedFor(ctx, in); err != nil {
		return restoration{}, err
	}
	k, err := s.record(ctx, p.ID, in, false, nil)
	if err == nil && in.Charge.Changed && k.Payment.Status == payment.Succeeded {
		k, _, err = s.readCharge(ctx, k.Payment)
	}
	return restoration{known: k}, err
}

// buyerOf reads from Stripe for whom and for what an intent is; missing names
// what it does not say.
func (s *Service) buyerOf(ctx context.Context, in payment.Intent) (buyer payment.Purchase, missing string, err error) {
	orderID, idErr := uuid.Parse(in.Metadata["order_id"])
	reference, refErr := uuid.Parse(in.Metadata["reference"])
	buyer = payment.Purchase{
		OrderID: orderID, Reference: reference, PlanID: in.Metadata["plan_id"], AccountID: in.Metadata["account_id"],
		AmountMinor: in.AmountMinor, Currency: in.Currency, Email: in.Charge.Email, OrderedAt: in.CreatedAt,
	}
	if in.CustomerID != "" {
		c, err := s.Stripe.GetCustomer(ctx, in.CustomerID)
		if err != nil && !errors.Is(err, stripegw.ErrNotFound) {
			return buyer, "", err
		}
		if c.Email != "" {
			buyer.Email, buyer.Name = c.Email, c.Name
		}
	}
	switch {
	case idErr != nil || refErr != nil:
		return buyer, "order id and reference", nil
	case buyer.EmailKey() == "":
		return buyer, "address of its buyer", nil
	}
	return buyer, "", nil
}
