package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/wire"
)

// Restored is a charge as Orders needs it to adopt it.
type Restored struct {
	// Known is what is known of its money, written down here unless something is
	// missing. Its payment has no charge when the charge is not paid, and no order
	// id when none is known.
	Known       wire.Known
	Email, Name string
	// Missing is what the charge does not say, so that it cannot be adopted.
	Missing string
}

// Named is for whom and for what a charge was paid, as a person says.
type Named struct{ Email, Name, PlanID, Actor string }

// RestoreCharge reads one charge from Stripe and writes down what was lost of its
// payment here, or, of one that does not say enough itself, what a person has named;
// nil when nobody has. It tells Orders nothing, and does nothing about a charge that is
// not certainly ours. Errors: payment.ErrNoCharge, payment.ErrUnreachable.
func (s *Service) RestoreCharge(ctx context.Context, id string, named *Named) (Restored, error) {
	ctx, cancel := detach(ctx)
	defer cancel()
	page, err := s.SeeCharges(ctx, []string{id})
	switch {
	case err != nil:
		return Restored{}, err
	case len(page) == 0:
		return Restored{}, payment.ErrNoCharge
	}
	c := page[0]
	var r Restored
	if named != nil && c.Owner != Foreign && c.Paid() && !c.Recorded {
		r, err = s.restoreNamed(ctx, c, *named)
	} else {
		r, err = s.restoreCharge(ctx, c)
	}
	return r, s.unreachable(ctx, err)
}

func (s *Service) restoreCharge(ctx context.Context, c Seen) (Restored, error) {
	switch {
	case c.Owner == Foreign:
		return Restored{Missing: "anything that makes it ours"}, nil
	case !c.Paid():
		return Restored{Missing: "money: it is not paid"}, nil
	case c.Owner == Unclear:
		return s.unrestored(ctx, c, "certainty: "+c.Why)
	case c.Owner == Claimed:
		return s.unrestored(ctx, c, "mark of ours: a person must name its buyer and plan")
	}
	p, err := s.Store.ByCharge(ctx, c.ID)
	switch {
	case err == nil:
		return s.restoredAs(ctx, c, p)
	case !errors.Is(err, store.ErrNone):
		return Restored{}, err
	case c.Behind.SubscriptionID != "":
		return s.restoreTerms(ctx, c)
	case c.IntentID == "":
		return s.unrestored(ctx, c, "payment intent")
	}
	in, err := s.Stripe.GetIntent(ctx, c.IntentID)
	switch {
	case errors.Is(err, stripegw.ErrNotFound):
		return s.unrestored(ctx, c, "payment intent that Stripe still has")
	case err != nil:
		return Restored{}, err
	case in.Status != payment.StripeSucceeded || in.Charge.ID != c.ID:
		return s.unrestored(ctx, c, "payment intent that was paid by it")
	}
	done, err := s.restoreIntent(ctx, in)
	switch {
	case err != nil:
		return Restored{}, err
	case done.missing != "":
		return s.unrestored(ctx, c, done.missing)
	case done.other.OrderID != uuid.Nil:
		c.OrderID = done.other.OrderID
		return s.unrestored(ctx, c, fmt.Sprintf("order of its own: order %s %s, and this was paid for it too", c.OrderID, done.other.Has()))
	}
	return s.restoredAs(ctx, c, done.known.Payment)
}

// restoreTerms writes down every paid term of the subscription that took the
// charge, for the first is what the later ones renew.
func (s *Service) restoreTerms(ctx context.Context, c Seen) (Restored, error) {
	sub, err := s.Stripe.GetSubscription(ctx, c.Behind.SubscriptionID)
	if errors.Is(err, stripegw.ErrNotFound) {
		return s.unrestored(ctx, c, "subscription that Stripe still has")
	}
	if err != nil {
		return Restored{}, err
	}
	invoices, err := s.Stripe.ListInvoices(ctx, sub.ID, time.Time{})
	if err != nil {
		return Restored{}, err
	}
	for _, inv := range invoices {
		if !inv.Paid() {
			continue
		}
		err := s.recordInvoice(ctx, sub, payment.Payment{}, inv)
		if errors.Is(err, errNobody) || errors.Is(err, errOtherSubscription) {
			return s.unrestored(ctx, c, "order: "+err.Error()) // a case is open
		}
		if err != nil {
			return Restored{}, fmt.Errorf("invoice %s: %w", inv.ID, err)
		}
	}
	p, err := s.Store.ByCharge(ctx, c.ID)
	if errors.Is(err, store.ErrNone) {
		return s.unrestored(ctx, c, "whole term that it paid for")
	}
	if err != nil {
		return Restored{}, err
	}
	return s.restoredAs(ctx, c, p)
}

// restoredAs answers with a payment that is recorded, after a look at what became
// of its charge when that is not recorded.
func (s *Service) restoredAs(ctx context.Context, c Seen, p payment.Payment) (Restored, error) {
	buyer, err := s.Store.Customer(ctx, p.EmailKey)
	if err != nil {
		return Restored{}, err
	}
	k, err := s.known(ctx, p.ID)
	if err == nil && (p.RefundedMinor != c.RefundedMinor || c.Disputed && p.Dispute == "") {
		k, _, err = s.readCharge(ctx, p)
	}
	return Restored{Known: k, Email: buyer.Email, Name: buyer.Name}, err
}

// restoreNamed writes down a charge as the payment of an order of its own, for the
// buyer and the plan that a person has named: what the charge says of others does not
// count any more.
func (s *Service) restoreNamed(ctx context.Context, c Seen, n Named) (Restored, error) {
	orderID, reference := payment.OrderOfCharge(c.ID)
	buyer := payment.Purchase{
		OrderID: orderID, Reference: reference, PlanID: n.PlanID, Email: n.Email, Name: n.Name,
		AmountMinor: c.AmountMinor, Currency: c.Currency, OrderedAt: c.CreatedAt,
	}
	at := c.CreatedAt
	p := newPayment(buyer, 1, s.Now())
	p.Status, p.IntentID, p.CustomerID, p.ChargeID = payment.Succeeded, c.IntentID, c.CustomerID, c.ID
	p.ReceivedMinor, p.ReceivedCurrency, p.ChargedAt, p.AdoptedBy = c.AmountMinor, c.Currency, &at, n.Actor
	err := s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.Store.InsertAdopted(ctx, tx, p, buyer); err != nil {
			return err
		}
		return s.Store.Wake(ctx, tx, s.Now(), p.IntentID, p.CustomerID)
	})
	if errors.Is(err, store.ErrTaken) { // by the same wish a moment ago, or by another
		if p, err = s.Store.ByCharge(ctx, c.ID); errors.Is(err, store.ErrNone) {
			return s.unrestored(ctx, c, "payment intent of its own: it is saved for another payment")
		}
	}
	if err != nil {
		return Restored{}, err
	}
	return s.restoredAs(ctx, c, p)
}

// unrestored answers with all that Stripe says of a paid charge that cannot be
// adopted without a person; nothing is written down. A charge that names no order
// has one that derives from its id, should a person adopt it.
func (s *Service) unrestored(ctx context.Context, c Seen, missing string) (Restored, error) {
	at := c.CreatedAt
	p := payment.Payment{
		OrderID: c.OrderID, Status: payment.Succeeded, IntentID: c.IntentID, CustomerID: c.CustomerID, ChargeID: c.ID,
		ReceivedMinor: c.AmountMinor, ReceivedCurrency: c.Currency, ChargedAt: &at, RefundedMinor: c.RefundedMinor,
	}
	if s.Stripe.IsOurs(c.Metadata) {
		p.PlanID, p.AccountID = c.Metadata["plan_id"], c.Metadata["account_id"]
		p.Reference, _ = uuid.Parse(c.Metadata["reference"])
	}
	if p.OrderID == uuid.Nil {
		p.OrderID, p.Reference = payment.OrderOfCharge(c.ID)
	}
	r := Restored{Known: wire.Known{Payment: p}, Missing: missing}
	if c.CustomerID == "" {
		return r, nil
	}
	buyer, err := s.Stripe.GetCustomer(ctx, c.CustomerID)
	if err != nil && !errors.Is(err, stripegw.ErrNotFound) {
		return Restored{}, err
	}
	r.Email, r.Name = buyer.Email, buyer.Name
	return r, nil
}
