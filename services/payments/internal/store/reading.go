package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store/db"
	"makegood.example/services/payments/internal/webhook"
)

// PaymentsOf reads the payments that saved one of these charges or intents, or
// are of one of these orders: an order's in their sequence.
func (s *Store) PaymentsOf(ctx context.Context, charges, intents []string, orders []uuid.UUID) ([]payment.Payment, error) {
	if len(charges)+len(intents)+len(orders) == 0 {
		return nil, nil
	}
	rows, err := s.q().PaymentsOfPage(ctx, db.PaymentsOfPageParams{ChargeIds: notNil(charges), IntentIds: notNil(intents), OrderIds: notNil(orders)})
	return fromPayments(rows), err
}

// PeopleOf finds the addresses of these Stripe customers, of those that bought
// something here.
func (s *Store) PeopleOf(ctx context.Context, customers []string) (map[string]string, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	rows, err := s.q().PeopleOfPage(ctx, customers)
	out := make(map[string]string, len(rows))
	for _, r := range rows {
		if r.EmailKey != "" {
			out[r.CustomerID] = r.EmailKey
		}
	}
	return out, err
}

// ByAccounts reads the latest payment for each of these accounts.
func (s *Store) ByAccounts(ctx context.Context, accounts []string) (map[string]payment.Payment, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	rows, err := s.q().AccountsOfPage(ctx, accounts)
	out := make(map[string]payment.Payment, len(rows))
	for _, p := range fromPayments(rows) {
		out[p.AccountID] = p
	}
	return out, err
}

// Subscriptions reads what is known of these subscriptions.
func (s *Store) Subscriptions(ctx context.Context, ids []string) (map[string]payment.Subscription, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := s.q().SubscriptionsOfPage(ctx, ids)
	out := make(map[string]payment.Subscription, len(rows))
	for _, r := range rows {
		out[r.SubscriptionID] = fromSubscription(r)
	}
	return out, err
}

// RefundsByStripeID reads what is recorded of these refunds of Stripe's.
func (s *Store) RefundsByStripeID(ctx context.Context, ids []string) (map[string]payment.Refund, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := s.q().RefundsOfPage(ctx, ids)
	out := make(map[string]payment.Refund, len(rows))
	for _, r := range rows {
		out[orEmpty(r.StripeRefundID)] = fromRefund(r)
	}
	return out, err
}

// FileEvents puts the events that the ledger lacks into it, due now, and counts
// them; payloads are the events as they came.
func (s *Store) FileEvents(ctx context.Context, events []webhook.Event, payloads [][]byte, now time.Time) (added int, err error) {
	if len(events) == 0 {
		return 0, nil
	}
	p := db.CatchUpEventsParams{Now: now, Payloads: payloads}
	for _, e := range events {
		p.Ids, p.Types, p.Livemodes = append(p.Ids, e.ID), append(p.Types, e.Type), append(p.Livemodes, e.Livemode)
		p.ApiVersions, p.ObjectIds = append(p.ApiVersions, e.APIVersion), append(p.ObjectIds, e.ObjectID)
		p.CustomerIds, p.Emails = append(p.CustomerIds, e.CustomerID), append(p.Emails, e.Email)
	}
	ids, err := s.q().CatchUpEvents(ctx, p)
	return len(ids), err
}

func fromPayments(rows []db.Payment) []payment.Payment {
	out := make([]payment.Payment, len(rows))
	for i, r := range rows {
		out[i] = fromPayment(r)
	}
	return out
}

// notNil is an empty list for nil, which PostgreSQL would take for NULL.
func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
