package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store"
	"makegood.example/services/platform/apperr"
)

// Renew makes the order of a subscription's later term, or finds it, and advances
// it like any other: what was bought and by whom is as on the order that began the
// subscription, and the money is what Stripe took. Its id and reference are
// Payments', which derives them from the invoice. Errors: order.ErrNotFound
// while the order that began it is not known; INVALID_ARGUMENT.
func (s *Service) Renew(ctx context.Context, a Adoption, began uuid.UUID, why order.Why) (order.Order, error) {
	switch {
	case a.OrderID == uuid.Nil:
		return order.Order{}, apperr.Invalid("payment.order_id", "names the order of the renewal")
	case a.Money.Term == nil:
		return order.Order{}, apperr.Invalid("payment.term", "names the term that was paid")
	}
	o, err := s.Store.Get(ctx, a.OrderID)
	switch {
	case err == nil && (o.RenewsOrderID == nil || *o.RenewsOrderID != began || o.Reference != a.Reference):
		return order.Order{}, apperr.Invalid("payment.order_id", "is another order")
	case err == nil:
		return s.Visit(ctx, o.ID, why, &a.Money)
	case !errors.Is(err, order.ErrNotFound):
		return order.Order{}, err
	}
	first, err := s.Store.Get(ctx, began)
	switch {
	case err != nil:
		return order.Order{}, err
	case first.Kind != order.Purchase:
		return order.Order{}, apperr.Invalid("renews_order_id", "is itself a renewal")
	}
	o = s.renewalOf(first, a)
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		return s.Store.Insert(ctx, tx, o, why, fmt.Sprintf("%s, for the term until %s", a.Money.Arrived(), o.PeriodEnd.UTC().Format("2006-01-02")))
	})
	if err != nil && !errors.Is(err, store.ErrChanged) { // told twice at the same moment
		return order.Order{}, err
	}
	return s.Advance(ctx, o.ID, why, &a.Money)
}

func (s *Service) renewalOf(first order.Order, a Adoption) order.Order {
	now := s.Now()
	due := now.Add(s.Settings.RescueAfter)
	o := order.Order{
		ID: a.OrderID, Reference: a.Reference, Kind: order.Renewal, State: order.Charged, RenewsOrderID: &first.ID,
		PlanID: first.PlanID, PlanName: first.PlanName, TermMonths: first.TermMonths, Renews: first.Renews,
		AmountMinor: a.Money.AmountMinor, Currency: a.Money.Currency,
		Email: first.Email, EmailKey: first.EmailKey, Name: first.Name, AccountID: first.AccountID,
		Checkout: order.Hosted, CreatedAt: now, AttemptID: order.FirstAttempt(a.OrderID), SubmittedAt: a.Money.ChargedAt,
		ChargeID: a.Money.ChargeID, CustomerID: a.Money.CustomerID, ChargedAt: &a.Money.ChargedAt, NextLookAt: &due,
	}
	o.Learn(a.Money)
	o.LearnTerm(a.Money.Term)
	return o
}
