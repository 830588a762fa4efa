// Package store keeps accounts, grants and activations in PostgreSQL. It has no
// rules of its own beyond the constraints.
package store

import (
	"context"
	"errors"
	"fmt"

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

// LockOrder makes everything that is decided about an order's access happen one
// after the other, also while it has no grant whose row could be locked. Locks
// are taken in the order: order, subscription, account.
func (s *Store) LockOrder(ctx context.Context, tx pgx.Tx, orderID uuid.UUID) error {
	return mapError(s.q.WithTx(tx).Lock(ctx, "provisioning order "+orderID.String()), nil)
}

// LockSubscription is LockOrder for a subscription, by Stripe's id.
func (s *Store) LockSubscription(ctx context.Context, tx pgx.Tx, id string) error {
	return mapError(s.q.WithTx(tx).Lock(ctx, "provisioning subscription "+id), nil)
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

// FindAccount reads which account has an address. ErrAccountNotFound when none
// has it.
func (s *Store) FindAccount(ctx context.Context, emailKey string) (grant.Found, error) {
	row, err := s.q.FindAccount(ctx, emailKey)
	return grant.Found(row), mapError(err, grant.ErrAccountNotFound)
}

// FindAccountByID reads the account with an id. ErrAccountNotFound when none
// has it.
func (s *Store) FindAccountByID(ctx context.Context, id uuid.UUID) (grant.Found, error) {
	row, err := s.q.FindAccountByID(ctx, id)
	return grant.Found(row), mapError(err, grant.ErrAccountNotFound)
}

func account(row db.Account) grant.Account {
	a := grant.Account{ID: row.ID, Email: row.Email, Name: row.Name, CreatedAt: row.CreatedAt}
	if row.CreatedByOrder != nil {
		a.CreatedByOrder = *row.CreatedByOrder
	}
	return a
}
