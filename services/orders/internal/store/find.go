package store

import (
	"context"

	"github.com/google/uuid"

	"makegood.example/services/orders/internal/store/db"
)

// Found is an order that was looked for.
type Found struct {
	ID uuid.UUID
	// Alias: its address is another one of the same mailbox.
	Alias bool
}

// FindByMailbox lists at most limit orders of an address, and then of the others
// that are read in the same mailbox; each newest first.
func (s *Store) FindByMailbox(ctx context.Context, emailKey string, limit int) ([]Found, error) {
	rows, err := s.q().FindByMailbox(ctx, db.FindByMailboxParams{EmailKey: emailKey, RowLimit: int32(limit)})
	found := make([]Found, len(rows))
	for i, r := range rows {
		found[i] = Found{ID: r.ID, Alias: r.Alias}
	}
	return found, err
}

// FindByReference lists at most limit orders whose references are from first to
// last, newest first.
func (s *Store) FindByReference(ctx context.Context, first, last uuid.UUID, limit int) ([]Found, error) {
	return named(s.q().FindByReference(ctx, db.FindByReferenceParams{FirstReference: first, LastReference: last, RowLimit: int32(limit)}))
}

// FindByStripeName lists at most limit orders with a payment intent, a charge or a
// customer of Stripe's, newest first.
func (s *Store) FindByStripeName(ctx context.Context, name string, limit int) ([]Found, error) {
	return named(s.q().FindByStripeName(ctx, db.FindByStripeNameParams{Name: name, RowLimit: int32(limit)}))
}

// FindByAccount lists at most limit orders that named an account, newest first.
func (s *Store) FindByAccount(ctx context.Context, accountID string, limit int) ([]Found, error) {
	return named(s.q().FindByAccount(ctx, db.FindByAccountParams{AccountID: accountID, RowLimit: int32(limit)}))
}

func named(ids []uuid.UUID, err error) ([]Found, error) {
	found := make([]Found, len(ids))
	for i, id := range ids {
		found[i].ID = id
	}
	return found, err
}
