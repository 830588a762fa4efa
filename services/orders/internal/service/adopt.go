package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store"
)

// Adoption is a charge of ours that has no order here.
type Adoption struct {
	Reference uuid.UUID
	// OrderID is the order that the charge names. It must be the reference's, unless
	// the charge paid a term of a subscription: one that was begun at Stripe by hand
	// has no reference but the one that Payments derived, with the id.
	OrderID   uuid.UUID
	PlanID    string
	Email     string
	Name      string
	AccountID string
	Money     order.Money
	// AccessUntil is until when the order gave access before it was lost; nil when it is
	// not known that it did.
	AccessUntil *time.Time
}

// Adopt makes the order of a charge that has none, under its original id and
// reference, so that the buyer's page works again, and advances it. When the
// order exists, the charge is news like any other. Nothing is guessed: without a
// buyer or a plan it is a case. Errors: order.ErrCannotAdopt.
func (s *Service) Adopt(ctx context.Context, a Adoption, why order.Why) (order.Order, error) {
	id := order.IDFor(a.Reference)
	if a.Money.Term != nil && a.OrderID != uuid.Nil {
		id = a.OrderID
	}
	_, err := s.Store.Get(ctx, id)
	switch {
	case err == nil:
		return s.Visit(ctx, id, why, &a.Money)
	case !errors.Is(err, order.ErrNotFound):
		return order.Order{}, err
	}
	o, err := s.orphan(ctx, id, a)
	if err != nil {
		summary := fmt.Sprintf("charge %s of %s carries our mark and has no order; it cannot be adopted: %v",
			a.Money.ChargeID, order.Display(a.Money.AmountMinor, a.Money.Currency), err)
		subject := "charge/" + a.Money.ChargeID
		if a.Money.NothingDue() {
			summary = fmt.Sprintf("order %s was settled at Stripe without a charge and is not known; it cannot be adopted: %v", id, err)
			subject = "order/" + id.String()
		}
		return order.Order{}, errors.Join(order.ErrCannotAdopt.Because(err), s.Cases.OpenAbout(ctx, clients.UnidentifiedCharge, subject, summary))
	}
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		return s.Store.Insert(ctx, tx, o, why, "made from a payment that had no order: "+a.Money.Arrived())
	})
	if err != nil && !errors.Is(err, store.ErrChanged) { // adopted at the same moment
		return order.Order{}, err
	}
	return s.Advance(ctx, id, why, &a.Money)
}

// orphan is the order that a charge must have had.
func (s *Service) orphan(ctx context.Context, id uuid.UUID, a Adoption) (order.Order, error) {
	if a.OrderID != id {
		return order.Order{}, errors.New("its order id does not belong to its reference")
	}
	plan, _, err := s.Plans.Find(a.PlanID, "")
	if err != nil {
		return order.Order{}, err
	}
	if err := order.CheckEmail(strings.TrimSpace(a.Email)); err != nil {
		return order.Order{}, fmt.Errorf("no identifiable buyer: %w", err)
	}
	checkout := order.Server
	if plan.Renews || a.Money.Term != nil {
		checkout = order.Hosted
	}
	now := s.Now()
	due := now.Add(s.Settings.RescueAfter)
	o := order.Order{
		ID: id, Reference: a.Reference, Kind: order.Purchase, State: order.Orphaned,
		PlanID: plan.ID, PlanName: plan.Name, TermMonths: plan.TermMonths, Renews: plan.Renews,
		AmountMinor: a.Money.AmountMinor, Currency: a.Money.Currency,
		Email: strings.TrimSpace(a.Email), EmailKey: order.EmailKey(a.Email), Name: strings.TrimSpace(a.Name), AccountID: a.AccountID,
		Checkout: checkout, CreatedAt: now, AttemptID: order.FirstAttempt(id), SubmittedAt: a.Money.ChargedAt,
		ChargeID: a.Money.ChargeID, CustomerID: a.Money.CustomerID, ChargedAt: &a.Money.ChargedAt,
	}
	o.Learn(a.Money)
	o.LearnTerm(a.Money.Term)
	o.Promise(now, s.recovery(ctx))
	o.NextLookAt = o.LookBy(now, due, s.Settings.StillWorkingAfter)
	if o.SubscriptionID == "" {
		o.AccessUntil = a.AccessUntil
	}
	return o, nil
}
