package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/store/db"
	"makegood.example/services/notifications/internal/watch"
)

// ServerFailingSince is since when the mail server cannot be used; nil while it can.
func (s *Store) ServerFailingSince(ctx context.Context) (*time.Time, error) {
	rows, err := db.New(s.pool).ServerFailingSince(ctx)
	if err != nil || len(rows) == 0 {
		return nil, wrap("mail server", err)
	}
	return &rows[0], nil
}

// ClaimWatch says whether a look at reconciliation is due, and moves the next one.
// Of several instances, one looks.
func (s *Store) ClaimWatch(ctx context.Context, now, next time.Time) ([]bool, error) {
	claimed, err := db.New(s.pool).ClaimWatch(ctx, db.ClaimWatchParams{Now: now, Next: next})
	return claimed, wrap("claim watch", err)
}

// LockWatch reads both watches over reconciliation, whether its runs end and whether
// they succeed, and holds them until the transaction ends.
func (s *Store) LockWatch(ctx context.Context, tx pgx.Tx) (ends, succeeds watch.Watch, err error) {
	row, err := db.New(tx).LockWatch(ctx)
	ends = watch.Watch{LookedAt: row.LookedAt, WatchedSince: row.WatchedSince, WorkedAt: row.WorkedAt, StoppedSince: row.StoppedSince}
	succeeds = watch.Watch{
		LookedAt: row.SuccessLookedAt, WatchedSince: row.SuccessWatchedSince, WorkedAt: row.SucceededAt, StoppedSince: row.FailingSince,
	}
	return ends, succeeds, wrap("lock watch", err)
}

// PutWatch writes the locked watches.
func (s *Store) PutWatch(ctx context.Context, tx pgx.Tx, ends, succeeds watch.Watch) error {
	return wrap("put watch", db.New(tx).PutWatch(ctx, db.PutWatchParams{
		LookedAt: ends.LookedAt, WatchedSince: ends.WatchedSince, WorkedAt: ends.WorkedAt, StoppedSince: ends.StoppedSince,
		SuccessLookedAt: succeeds.LookedAt, SuccessWatchedSince: succeeds.WatchedSince, SucceededAt: succeeds.WorkedAt,
		FailingSince: succeeds.StoppedSince,
	}))
}
