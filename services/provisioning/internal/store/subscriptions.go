package store

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/provisioning/internal/grant"
	"makegood.example/services/provisioning/internal/store/db"
)

// Subscription is how a locked subscription stands; nil when nothing was heard
// of it.
func (s *Store) Subscription(ctx context.Context, tx pgx.Tx, id string) (*grant.Subscription, error) {
	row, err := s.q.WithTx(tx).GetSubscription(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &grant.Subscription{
		ID: row.SubscriptionID, OrderID: row.OrderID, Status: grant.Status(row.Status), Renews: row.Renews,
		ObservedAt: row.ObservedAt, GraceUntil: row.GraceUntil,
	}, mapError(err, nil)
}

// PutSubscription writes how a locked subscription stands.
func (s *Store) PutSubscription(ctx context.Context, tx pgx.Tx, sub grant.Subscription) error {
	return mapError(s.q.WithTx(tx).PutSubscription(ctx, db.PutSubscriptionParams{
		SubscriptionID: sub.ID, OrderID: sub.OrderID, Status: string(sub.Status), Renews: sub.Renews,
		ObservedAt: sub.ObservedAt, GraceUntil: sub.GraceUntil,
	}), nil)
}

// SubscriptionAccount is the account that a subscription's terms go to; nil
// while it has no term.
func (s *Store) SubscriptionAccount(ctx context.Context, tx pgx.Tx, id string) (*uuid.UUID, error) {
	account, err := s.q.WithTx(tx).GetSubscriptionAccount(ctx, &id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &account, mapError(err, nil)
}
