// Package store keeps accounts, grants and activations in PostgreSQL. It has no
// rules of its own beyond the constraints.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/pg"
	"makegood.example/services/provisioning/internal/grant"
	"makegood.example/services/provisioning/internal/store/db"
)

// Store reads and writes the schema provisioning. Methods that take a
// transaction belong to a decision made under a lock.
type Store struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

// New makes a store on pool.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool, q: db.New(pool)} }

// InTx runs fn in one transaction; fn may run again.
func (s *Store) InTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return pg.InTx(ctx, s.pool, fn)
}

// mapError is the one place where a missing row or a violated constraint
// becomes a domain error. noRows is what a missing row means to the caller.
func mapError(err error, noRows error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows) && noRows != nil:
		return noRows
	}
	switch pg.ViolatedConstraint(err) {
	case "activations_one_redeemed_per_account":
		return grant.ErrActivationNotFound.Because(err)
	}
	return fmt.Errorf("store: %w", err)
}

// InsertAccount writes a new account and says whether it did: not when the
// address, or the order, already has one.
func (s *Store) InsertAccount(ctx context.Context, tx pgx.Tx, a grant.Account, byOrder uuid.UUID) (bool, error) {
	n, err := s.q.WithTx(tx).InsertAccount(ctx, db.InsertAccountParams{
		ID: a.ID, Email: a.Email, EmailKey: grant.EmailKey(a.Email), Name: a.Name,
		CreatedByOrder: &byOrder, CreatedAt: a.CreatedAt,
	})
	return n == 1, mapError(err, nil)
}

// LockAccount finds an account and holds it until the transaction ends, so that
// its terms are given one after the other. ErrAccountNotFound without one.
func (s *Store) LockAccount(ctx context.Context, tx pgx.Tx, id uuid.UUID) (grant.Account, error) {
	row, err := s.q.WithTx(tx).LockAccount(ctx, id)
	return account(row), mapError(err, grant.ErrAccountNotFound)
}

// LockAccountByEmail is LockAccount by address.
func (s *Store) LockAccountByEmail(ctx context.Context, tx pgx.Tx, email string) (grant.Account, error) {
	row, err := s.q.WithTx(tx).LockAccountByEmail(ctx, grant.EmailKey(email))
	return account(row), mapError(err, grant.ErrAccountNotFound)
}

// Account finds an account. ErrAccountNotFound without one.
func (s *Store) Account(ctx context.Context, id uuid.UUID) (grant.Account, error) {
	row, err := s.q.GetAccount(ctx, id)
	return account(row), mapError(err, grant.ErrAccountNotFound)
}

func account(row db.Account) grant.Account {
	return grant.Account{ID: row.ID, Email: row.Email, Name: row.Name, CreatedAt: row.CreatedAt}
}

// Grant finds an order's grant. ErrGrantNotFound without one.
func (s *Store) Grant(ctx context.Context, orderID uuid.UUID) (grant.Grant, error) {
	row, err := s.q.GetGrant(ctx, orderID)
	if err != nil {
		return grant.Grant{}, mapError(err, grant.ErrGrantNotFound)
	}
	return grant.Grant{
		OrderID: row.OrderID, AccountID: row.AccountID, PlanID: row.PlanID, TermMonths: int(row.TermMonths),
		StartsAt: row.StartsAt, EndsAt: row.EndsAt, RevokedAt: row.RevokedAt,
		AccountCreated: row.AccountCreated, CreatedAt: row.CreatedAt,
	}, nil
}

// InsertGrant writes a grant and says whether it did: not when the order
// already has one.
func (s *Store) InsertGrant(ctx context.Context, tx pgx.Tx, g grant.Grant) (bool, error) {
	n, err := s.q.WithTx(tx).InsertGrant(ctx, db.InsertGrantParams{
		OrderID: g.OrderID, AccountID: g.AccountID, PlanID: g.PlanID, TermMonths: int32(g.TermMonths),
		StartsAt: g.StartsAt, EndsAt: g.EndsAt, AccountCreated: g.AccountCreated, CreatedAt: g.CreatedAt,
	})
	return n == 1, mapError(err, nil)
}

// LatestEndInTx is the end of what the locked account has; nil for nothing.
func (s *Store) LatestEndInTx(ctx context.Context, tx pgx.Tx, accountID uuid.UUID) (*time.Time, error) {
	return latestEnd(ctx, s.q.WithTx(tx), accountID)
}

// LatestEnd is the end of what the account has; nil for nothing.
func (s *Store) LatestEnd(ctx context.Context, accountID uuid.UUID) (*time.Time, error) {
	return latestEnd(ctx, s.q, accountID)
}

func latestEnd(ctx context.Context, q *db.Queries, accountID uuid.UUID) (*time.Time, error) {
	end, err := q.LatestEnd(ctx, accountID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &end, mapError(err, nil)
}

// HasAccess says whether a grant that was not revoked covers now.
func (s *Store) HasAccess(ctx context.Context, accountID uuid.UUID, now time.Time) (bool, error) {
	has, err := s.q.HasAccess(ctx, db.HasAccessParams{AccountID: accountID, Now: now})
	return has, mapError(err, nil)
}
