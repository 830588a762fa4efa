package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store/db"
)

// Subscription reads what is known of a subscription. Errors: ErrNone.
func (s *Store) Subscription(ctx context.Context, id string) (payment.Subscription, error) {
	r, err := s.q().GetSubscription(ctx, id)
	return fromSubscription(r), domainError(err)
}

// SubscriptionsOf lists the subscriptions of a Stripe customer that are known here.
func (s *Store) SubscriptionsOf(ctx context.Context, customerID string) ([]string, error) {
	return s.q().SubscriptionsOfCustomer(ctx, customerID)
}

// TermPaid keeps that a term was paid and that Orders is to hear of it: the
// subscription begins here with its first, and is looked at no later than at soon.
func (s *Store) TermPaid(ctx context.Context, tx pgx.Tx, p payment.Payment, now, soon time.Time) error {
	q := db.New(tx)
	if p.RenewsOrderID == uuid.Nil {
		if err := q.BeginSubscription(ctx, db.BeginSubscriptionParams{
			SubscriptionID: p.Term.SubscriptionID, OrderID: p.OrderID, CustomerID: p.CustomerID,
			PeriodStart: p.Term.Start, PeriodEnd: p.Term.End, NextLookAt: soon,
		}); err != nil {
			return domainError(err)
		}
		if err := s.Wake(ctx, tx, now, p.Term.SubscriptionID); err != nil {
			return err
		}
	}
	return q.HurrySubscription(ctx, db.HurrySubscriptionParams{SubscriptionID: p.Term.SubscriptionID, Soon: soon})
}

// SaveSubscription writes how a subscription stood when it was observed; false
// says that a newer observation is kept already. It is looked at again no later
// than at soon, until RestSubscription says otherwise.
func (s *Store) SaveSubscription(ctx context.Context, sub payment.Subscription, soon time.Time) (bool, error) {
	n, err := s.q().SaveSubscription(ctx, db.SaveSubscriptionParams{
		SubscriptionID: sub.ID, Status: string(sub.Status), Renews: sub.Renews, PeriodStart: sub.PeriodStart, PeriodEnd: sub.PeriodEnd,
		ObservedAt: sub.ObservedAt, Soon: soon,
	})
	return n == 1, err
}

// TermsPaidSince lists the orders whose terms were paid after the subscription had
// ended; none while it has not.
func (s *Store) TermsPaidSince(ctx context.Context, sub payment.Subscription) ([]uuid.UUID, error) {
	if sub.EndedAt.IsZero() {
		return nil, nil
	}
	return s.q().TermsPaidSince(ctx, db.TermsPaidSinceParams{SubscriptionID: sub.ID, Since: sub.EndedAt})
}

// RestSubscription plans the next look at a subscription whose observation
// Orders has, unless a newer one was saved meanwhile.
func (s *Store) RestSubscription(ctx context.Context, sub payment.Subscription) error {
	var settled *time.Time
	if !sub.SettledUntil.IsZero() {
		settled = &sub.SettledUntil
	}
	return s.q().RestSubscription(ctx, db.RestSubscriptionParams{
		SubscriptionID: sub.ID, NextLookAt: sub.NextLookAt, SettledUntil: settled, ObservedAt: sub.ObservedAt,
	})
}

// ReportInvoice keeps that a person was told of an invoice.
func (s *Store) ReportInvoice(ctx context.Context, subscriptionID, invoiceID string) error {
	return s.q().ReportInvoice(ctx, db.ReportInvoiceParams{SubscriptionID: subscriptionID, InvoiceID: invoiceID})
}

// ClaimDueSubscriptions takes subscriptions that are due for a look.
func (s *Store) ClaimDueSubscriptions(ctx context.Context, now time.Time, firstDelay time.Duration, limit int) ([]payment.Subscription, error) {
	rows, err := s.q().ClaimDueSubscriptions(ctx, db.ClaimDueSubscriptionsParams{
		Now: now, RowLimit: int32(limit), FirstDelay: pgtype.Interval{Microseconds: firstDelay.Microseconds(), Valid: true},
	})
	var out []payment.Subscription
	for _, r := range rows {
		out = append(out, fromSubscription(r))
	}
	return out, err
}

// MakeSubscriptionsDue makes every subscription due now that was in hand.
func (s *Store) MakeSubscriptionsDue(ctx context.Context, now time.Time) (int64, error) {
	return s.q().MakeSubscriptionsDue(ctx, now)
}

// ByInvoice reads the payment of an invoice's term. Errors: ErrNone.
func (s *Store) ByInvoice(ctx context.Context, invoiceID string) (payment.Payment, error) {
	r, err := s.q().PaymentByInvoice(ctx, invoiceID)
	return found(ctx, r, err)
}

// UntoldTerms lists a subscription's paid terms that Orders has not
// acknowledged, the first before those that renew its order.
func (s *Store) UntoldTerms(ctx context.Context, subscriptionID string) ([]payment.Payment, error) {
	rows, err := s.q().UntoldTerms(ctx, subscriptionID)
	var out []payment.Payment
	for _, r := range rows {
		out = append(out, fromPayment(r))
	}
	return out, err
}

// TermTold keeps that Orders acknowledged a term.
func (s *Store) TermTold(ctx context.Context, paymentID uuid.UUID, now time.Time) error {
	return s.q().TermTold(ctx, db.TermToldParams{ID: paymentID, Now: now})
}

// ForgetTold makes every term of a subscription one to be told, no later than at
// soon: Orders lost them.
func (s *Store) ForgetTold(ctx context.Context, subscriptionID string, soon time.Time) error {
	return s.InTx(ctx, func(tx pgx.Tx) error {
		q := db.New(tx)
		if err := q.ForgetTold(ctx, subscriptionID); err != nil {
			return err
		}
		return q.HurrySubscription(ctx, db.HurrySubscriptionParams{SubscriptionID: subscriptionID, Soon: soon})
	})
}

func fromSubscription(r db.Subscription) payment.Subscription {
	sub := payment.Subscription{
		ID: r.SubscriptionID, OrderID: r.OrderID, CustomerID: r.CustomerID, Status: payment.SubscriptionStatus(r.Status), Renews: r.Renews,
		PeriodStart: r.PeriodStart, PeriodEnd: r.PeriodEnd, Reported: r.ReportedInvoices, NextLookAt: r.NextLookAt, LookCount: r.LookCount,
	}
	if r.ObservedAt != nil {
		sub.ObservedAt = *r.ObservedAt
	}
	if r.SettledUntil != nil {
		sub.SettledUntil = *r.SettledUntil
	}
	return sub
}
