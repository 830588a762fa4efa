package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/provisioning/internal/store/db"
)

// WithdrawnUngranted is when an order was withdrawn before it was granted; nil
// when it was not. The order is locked.
func (s *Store) WithdrawnUngranted(ctx context.Context, tx pgx.Tx, orderID uuid.UUID) (*time.Time, error) {
	at, err := s.q.WithTx(tx).GetWithdrawal(ctx, orderID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &at, mapError(err, nil)
}

// InsertWithdrawal marks a locked order without a grant as withdrawn.
func (s *Store) InsertWithdrawal(ctx context.Context, tx pgx.Tx, orderID uuid.UUID, at time.Time) error {
	return mapError(s.q.WithTx(tx).InsertWithdrawal(ctx, db.InsertWithdrawalParams{OrderID: orderID, At: at}), nil)
}

// DeleteWithdrawal lifts the mark and says whether there was one.
func (s *Store) DeleteWithdrawal(ctx context.Context, tx pgx.Tx, orderID uuid.UUID) (bool, error) {
	n, err := s.q.WithTx(tx).DeleteWithdrawal(ctx, orderID)
	return n == 1, mapError(err, nil)
}
