package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/provisioning/internal/grant"
	"makegood.example/services/provisioning/internal/store/db"
)

// Grant finds an order's grant. ErrGrantNotFound without one.
func (s *Store) Grant(ctx context.Context, orderID uuid.UUID) (grant.Grant, error) {
	row, err := s.q.GetGrant(ctx, orderID)
	return grantOf(row), mapError(err, grant.ErrGrantNotFound)
}

// LockGrant finds an order's grant and holds its account, so that nobody else
// moves the account's terms. ErrGrantNotFound without one.
func (s *Store) LockGrant(ctx context.Context, tx pgx.Tx, orderID uuid.UUID) (grant.Grant, error) {
	q := s.q.WithTx(tx)
	row, err := q.GetGrant(ctx, orderID)
	if err != nil {
		return grant.Grant{}, mapError(err, grant.ErrGrantNotFound)
	}
	if _, err := s.LockAccount(ctx, tx, row.AccountID); err != nil {
		return grant.Grant{}, err
	}
	row, err = q.GetGrant(ctx, orderID) // it may have moved while we waited
	return grantOf(row), mapError(err, nil)
}

// InsertGrant writes a grant and says whether it did: not when the order
// already has one.
func (s *Store) InsertGrant(ctx context.Context, tx pgx.Tx, g grant.Grant) (bool, error) {
	n, err := s.q.WithTx(tx).InsertGrant(ctx, db.InsertGrantParams{
		OrderID: g.OrderID, AccountID: g.AccountID, PlanID: g.PlanID, TermMonths: int32(g.TermMonths),
		StartsAt: g.StartsAt, EndsAt: g.EndsAt, RevokedAt: g.RevokedAt, AccountCreated: g.AccountCreated, CreatedAt: g.CreatedAt,
		SubscriptionID: orNull(g.SubscriptionID), Length: string(g.Length), WithdrawnAt: g.WithdrawnAt, EndedAt: g.EndedAt,
	})
	return n == 1, mapError(err, nil)
}

// UpdateGrant writes what may change of a grant whose account is locked.
func (s *Store) UpdateGrant(ctx context.Context, tx pgx.Tx, g grant.Grant) error {
	return mapError(s.q.WithTx(tx).UpdateGrant(ctx, db.UpdateGrantParams{
		OrderID: g.OrderID, StartsAt: g.StartsAt, EndsAt: g.EndsAt, RevokedAt: g.RevokedAt,
		SubscriptionID: orNull(g.SubscriptionID), Length: string(g.Length), WithdrawnAt: g.WithdrawnAt, EndedAt: g.EndedAt,
	}), nil)
}

// CurrentGrants are the grants, by start, that the locked account has now or
// later; not those of a subscription that is paused.
func (s *Store) CurrentGrants(ctx context.Context, tx pgx.Tx, accountID uuid.UUID, now time.Time) ([]grant.Grant, error) {
	rows, err := s.q.WithTx(tx).ListCurrentGrants(ctx, db.ListCurrentGrantsParams{AccountID: accountID, Now: now})
	return grantsOf(rows), mapError(err, nil)
}

// SubscriptionGrants are all the terms of a subscription, by end.
func (s *Store) SubscriptionGrants(ctx context.Context, tx pgx.Tx, subscriptionID string) ([]grant.Grant, error) {
	rows, err := s.q.WithTx(tx).ListSubscriptionGrants(ctx, &subscriptionID)
	return grantsOf(rows), mapError(err, nil)
}

// Event is what happened to an order's access.
type Event string

// The events of a grant.
const (
	Granted   Event = "GRANTED"
	Withdrawn Event = "WITHDRAWN"
	Moved     Event = "MOVED"
	Restored  Event = "RESTORED"
	Ended     Event = "ENDED"
	Resumed   Event = "RESUMED"
)

// InsertEvent writes down what happened to an order's access. stretch is what
// was given, moved to or taken; nil when that was nothing.
func (s *Store) InsertEvent(ctx context.Context, tx pgx.Tx, orderID uuid.UUID, what Event, at time.Time, stretch *grant.Stretch) error {
	p := db.InsertGrantEventParams{OrderID: orderID, What: string(what), At: at}
	if stretch != nil {
		p.StartsAt, p.EndsAt = &stretch.Starts, &stretch.Ends
	}
	return mapError(s.q.WithTx(tx).InsertGrantEvent(ctx, p), nil)
}

// Held are the account's grants that were not revoked, with how their
// subscriptions stand. ErrAccountNotFound without the account.
func (s *Store) Held(ctx context.Context, accountID uuid.UUID) ([]grant.Held, error) {
	return heldBy(ctx, s.q, accountID)
}

// HeldNow is Held for a locked account.
func (s *Store) HeldNow(ctx context.Context, tx pgx.Tx, accountID uuid.UUID) ([]grant.Held, error) {
	return heldBy(ctx, s.q.WithTx(tx), accountID)
}

func heldBy(ctx context.Context, q *db.Queries, accountID uuid.UUID) ([]grant.Held, error) {
	rows, err := q.ListHeld(ctx, accountID)
	if err != nil {
		return nil, mapError(err, nil)
	}
	if len(rows) == 0 {
		return nil, grant.ErrAccountNotFound
	}
	var held []grant.Held
	for _, row := range rows {
		if row.StartsAt == nil {
			continue // the account has no grants
		}
		h := grant.Held{Stretch: grant.Stretch{Starts: *row.StartsAt, Ends: *row.EndsAt}, Last: row.IsLast}
		if row.Status != nil {
			h.Subscription = &grant.Subscription{Status: grant.Status(*row.Status), Renews: *row.Renews, GraceUntil: row.GraceUntil}
		}
		held = append(held, h)
	}
	return held, nil
}

func grantOf(row db.Grant) grant.Grant {
	g := grant.Grant{
		OrderID: row.OrderID, AccountID: row.AccountID, PlanID: row.PlanID, TermMonths: int(row.TermMonths),
		StartsAt: row.StartsAt, EndsAt: row.EndsAt, RevokedAt: row.RevokedAt, WithdrawnAt: row.WithdrawnAt, EndedAt: row.EndedAt,
		Length: grant.Length(row.Length), AccountCreated: row.AccountCreated, CreatedAt: row.CreatedAt,
	}
	if row.SubscriptionID != nil {
		g.SubscriptionID = *row.SubscriptionID
	}
	return g
}

func grantsOf(rows []db.Grant) []grant.Grant {
	grants := make([]grant.Grant, 0, len(rows))
	for _, row := range rows {
		grants = append(grants, grantOf(row))
	}
	return grants
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
