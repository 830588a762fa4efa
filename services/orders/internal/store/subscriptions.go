package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store/db"
)

// LockSubscription makes transactions about one subscription wait for each other.
func (s *Store) LockSubscription(ctx context.Context, tx pgx.Tx, id string) error {
	return db.New(tx).LockSubscription(ctx, id)
}

// Subscription reads one; nil when nothing was heard of it.
func (s *Store) Subscription(ctx context.Context, tx pgx.Tx, id string) (*order.Subscription, error) {
	return subscription(db.New(tx).GetSubscription(ctx, id))
}

// SubscriptionOf reads the subscription that an order began; nil when nothing
// was heard of any.
func (s *Store) SubscriptionOf(ctx context.Context, orderID uuid.UUID) (*order.Subscription, error) {
	return subscription(s.q().GetSubscriptionOf(ctx, orderID))
}

// PutSubscription writes how a subscription stands. What Provisioning answered
// before stays.
func (s *Store) PutSubscription(ctx context.Context, tx pgx.Tx, sub order.Subscription) error {
	row := db.PutSubscriptionParams{
		SubscriptionID: sub.ID, OrderID: sub.OrderID, Status: string(sub.Status), Renews: sub.Renews,
		CurrentPeriodEnd: sub.CurrentPeriodEnd, ObservedAt: sub.ObservedAt, PaidSince: sub.PaidSince,
	}
	if row.PaidSince == nil {
		row.PaidSince = []uuid.UUID{}
	}
	if u := sub.Unpaid; u.ID != "" {
		row.UnpaidInvoiceID, row.UnpaidAmountMinor, row.UnpaidCurrency = &u.ID, &u.AmountMinor, &u.Currency
		row.UnpaidUrl, row.UnpaidActionRequired, row.UnpaidNextAttemptAt = &u.URL, &u.ActionRequired, u.NextAttemptAt
	}
	return db.New(tx).PutSubscription(ctx, row)
}

// SetSubscriptionAccess remembers what Provisioning answered to sub; false when
// something newer was observed since it was asked.
func (s *Store) SetSubscriptionAccess(ctx context.Context, tx pgx.Tx, sub order.Subscription) (bool, error) {
	n, err := db.New(tx).SetSubscriptionAccess(ctx, db.SetSubscriptionAccessParams{
		AccessUntil: sub.AccessUntil, SubscriptionID: sub.ID, ObservedAt: sub.ObservedAt, Status: string(sub.Status), Renews: sub.Renews,
	})
	return n > 0, err
}

// InsertNotice says whether this notice is new.
func (s *Store) InsertNotice(ctx context.Context, tx pgx.Tx, n order.Notice, subscriptionID string, at time.Time) (bool, error) {
	rows, err := db.New(tx).InsertNotice(ctx, db.InsertNoticeParams{DedupeKey: n.DedupeKey, SubscriptionID: subscriptionID, QueuedAt: at})
	return rows > 0, err
}

// OrderWithSubscription is another order by which o's buyer has a subscription of the
// same plan; uuid.Nil when there is none.
func (s *Store) OrderWithSubscription(ctx context.Context, tx pgx.Tx, o order.Order, now time.Time) (uuid.UUID, error) {
	return orNone(db.New(tx).OrderWithSubscription(ctx, db.OrderWithSubscriptionParams{EmailKey: o.EmailKey, PlanID: o.PlanID, ID: o.ID, Now: now}))
}

// OpenPages lists the other orders of o's buyer for the same that wait on a page
// of Stripe's.
func (s *Store) OpenPages(ctx context.Context, tx pgx.Tx, o order.Order) ([]uuid.UUID, error) {
	return db.New(tx).ListOpenPages(ctx, db.ListOpenPagesParams{EmailKey: o.EmailKey, PlanID: o.PlanID, ID: o.ID})
}

func subscription(r db.OrdersSubscription, err error) (*order.Subscription, error) {
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	out := &order.Subscription{
		ID: r.SubscriptionID, OrderID: r.OrderID, Status: order.SubscriptionStatus(r.Status), Renews: r.Renews,
		CurrentPeriodEnd: r.CurrentPeriodEnd, ObservedAt: r.ObservedAt, AccessUntil: r.AccessUntil, PaidSince: r.PaidSince,
	}
	if r.UnpaidInvoiceID != nil {
		out.Unpaid = order.UnpaidInvoice{
			ID: *r.UnpaidInvoiceID, AmountMinor: *r.UnpaidAmountMinor, Currency: *r.UnpaidCurrency, URL: *r.UnpaidUrl,
			ActionRequired: *r.UnpaidActionRequired, NextAttemptAt: r.UnpaidNextAttemptAt,
		}
	}
	return out, nil
}
