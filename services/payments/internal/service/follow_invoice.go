package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/wire"
)

var (
	// errNobody: nothing says for whom or for what a subscription is.
	errNobody = errors.New("the subscription does not say for whom, or for which plan")
	// errOtherSubscription: the order that it names began another one.
	errOtherSubscription = errors.New("the order that the subscription names began another one")
)

// recordInvoice writes what a paid invoice paid: the first term of the order
// with which the subscription began, or a later term, which is an order of its
// own. What buys no term by itself is shown to a person.
func (s *Service) recordInvoice(ctx context.Context, sub payment.SubscriptionNow, person payment.Payment, inv payment.Invoice) error {
	p, err := s.Store.ByInvoice(ctx, inv.ID)
	if err == nil && p.Status == payment.Succeeded {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNone) {
		return err
	}
	if !inv.Settled() || inv.Term == (payment.Term{}) {
		return s.reportInvoice(ctx, inv)
	}
	k := wire.Known{}
	if err == nil {
		k, err = s.record(ctx, p.ID, inv.Intent, false, nil)
	} else if p, err = s.Store.ByIntent(ctx, inv.Intent.ID); err == nil { // none is by no id
		k, err = s.record(ctx, p.ID, inv.Intent, false, nil)
	} else if errors.Is(err, store.ErrNone) {
		k, err = s.recordTerm(ctx, sub, person, inv)
	}
	if err == nil && inv.Intent.Charge.Changed && k.Payment.Status == payment.Succeeded {
		_, _, err = s.readCharge(ctx, k.Payment) // some of it went back before it was heard of
	}
	return err
}

// recordTerm writes the payment of an invoice that is new here.
func (s *Service) recordTerm(ctx context.Context, sub payment.SubscriptionNow, person payment.Payment, inv payment.Invoice) (wire.Known, error) {
	known, err := s.Store.Subscription(ctx, sub.ID)
	if errors.Is(err, store.ErrNone) {
		return s.recordFirstTerm(ctx, sub, person, inv)
	}
	if err != nil {
		return wire.Known{}, err
	}
	first, err := s.Store.Last(ctx, known.OrderID)
	if err != nil {
		return wire.Known{}, err
	}
	if first.Term.InvoiceID == inv.ID || first.IntentID != "" && first.IntentID == inv.Intent.ID {
		return s.known(ctx, first.ID) // the first term, written since it was looked for
	}
	id, reference := payment.OrderOf(inv.ID)
	p := newPayment(payment.Purchase{
		OrderID: id, Reference: reference, PlanID: first.PlanID, Description: first.Description, AccountID: first.AccountID,
		AmountMinor: inv.Intent.AmountMinor, Currency: inv.Intent.Currency, Email: first.EmailKey,
	}, 1, s.Now())
	p.RenewsOrderID = known.OrderID
	return s.write(ctx, p, payment.Purchase{Email: first.EmailKey}, inv.Intent)
}

// recordFirstTerm finds or writes the payment with which a subscription begins:
// of the order that its metadata names, or, when they name none because somebody
// made it at Stripe, of an order of its own.
func (s *Service) recordFirstTerm(ctx context.Context, sub payment.SubscriptionNow, person payment.Payment, inv payment.Invoice) (wire.Known, error) {
	if !s.Stripe.IsOurs(sub.Metadata) || sub.Metadata["order_id"] == "" {
		return s.recordMadeByHand(ctx, sub, person, inv)
	}
	orderID, _ := uuid.Parse(sub.Metadata["order_id"])
	p, err := s.Store.Last(ctx, orderID)
	switch {
	case err == nil && p.Status == payment.Succeeded && p.Term.SubscriptionID == sub.ID:
		return s.recordTerm(ctx, sub, person, inv) // a parallel call has just begun it
	case err == nil && (p.Status == payment.Succeeded || p.Term.SubscriptionID != "" && p.Term.SubscriptionID != sub.ID):
		return wire.Known{}, s.unclearSubscription(ctx, errOtherSubscription, sub, inv)
	case err == nil:
		return s.record(ctx, p.ID, inv.Intent, false, nil)
	case !errors.Is(err, store.ErrNone):
		return wire.Known{}, err
	}
	in := inv.Intent
	in.Metadata = sub.Metadata // Stripe gives an invoice's intent none
	buyer, missing, err := s.buyerOf(ctx, in)
	if err != nil {
		return wire.Known{}, err
	}
	if missing != "" || sub.PlanID == "" {
		return wire.Known{}, s.unclearSubscription(ctx, errNobody, sub, inv)
	}
	s.Log.WarnContext(ctx, "the payment of a subscription was lost here and found at Stripe", "order_id", buyer.OrderID, "payment_intent_id", in.ID)
	buyer.PlanID = sub.PlanID
	return s.write(ctx, newPayment(buyer, 1, s.Now()), buyer, in)
}

func (s *Service) recordMadeByHand(ctx context.Context, sub payment.SubscriptionNow, person payment.Payment, inv payment.Invoice) (wire.Known, error) {
	bought, err := person, error(nil)
	if bought.OrderID == uuid.Nil {
		bought, err = s.Store.ByCustomer(ctx, sub.CustomerID)
	}
	if err != nil && !errors.Is(err, store.ErrNone) {
		return wire.Known{}, err
	}
	if err != nil || sub.PlanID == "" {
		return wire.Known{}, s.unclearSubscription(ctx, errNobody, sub, inv)
	}
	c, err := s.Store.Customer(ctx, bought.EmailKey)
	if err != nil {
		return wire.Known{}, err
	}
	id, reference := payment.OrderOf(inv.ID)
	buyer := payment.Purchase{
		OrderID: id, Reference: reference, PlanID: sub.PlanID, Description: "Subscription " + sub.ID, AccountID: bought.AccountID,
		AmountMinor: inv.Intent.AmountMinor, Currency: inv.Intent.Currency, Email: c.Email, Name: c.Name, OrderedAt: inv.CreatedAt,
	}
	p := newPayment(buyer, 1, s.Now())
	p.EmailKey = c.EmailKey
	return s.write(ctx, p, buyer, inv.Intent)
}

// write writes a payment with what Stripe says of its intent, once.
func (s *Service) write(ctx context.Context, p payment.Payment, buyer payment.Purchase, in payment.Intent) (k wire.Known, err error) {
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.Store.Insert(ctx, tx, p, buyer); err != nil {
			return err
		}
		k, err = s.recordIn(ctx, tx, p.ID, in, false, nil)
		return err
	})
	if !errors.Is(err, store.ErrTaken) {
		return k, err
	}
	// Written by a parallel call, which may have known it as another order's: the
	// first invoice of a subscription looks like a later one once that is saved.
	if other, err := s.Store.ByIntent(ctx, in.ID); err == nil {
		p = other
	} else if !errors.Is(err, store.ErrNone) {
		return wire.Known{}, err
	}
	return s.known(ctx, p.ID)
}

// unclearSubscription opens a case about a paid subscription of which nobody can be given
// access without a guess.
func (s *Service) unclearSubscription(ctx context.Context, why error, sub payment.SubscriptionNow, inv payment.Invoice) error {
	return errors.Join(why, s.Cases.OpenSubscription(ctx, sub.ID, fmt.Sprintf(
		"invoice %s of a subscription of customer %s was paid, and nobody got access for it: %v", inv.ID, sub.CustomerID, why)))
}

// reportInvoice opens a case about a paid invoice that buys no term by itself,
// once.
func (s *Service) reportInvoice(ctx context.Context, inv payment.Invoice) error {
	id := inv.SubscriptionID
	sub, err := s.Store.Subscription(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return err
	}
	if slices.Contains(sub.Reported, inv.ID) {
		return nil
	}
	summary := fmt.Sprintf("invoice %s of subscription %s counts as paid without a charge: nobody got access for it", inv.ID, id)
	if inv.Charged() {
		summary = fmt.Sprintf("invoice %s of subscription %s was charged (%s) and is for no whole period: nobody got access for it", inv.ID, id, inv.Intent.Charge.ID)
	}
	if err := s.Cases.OpenInvoice(ctx, inv.ID, summary); err != nil || sub.OrderID == uuid.Nil {
		return err
	}
	return s.Store.ReportInvoice(ctx, id, inv.ID)
}
