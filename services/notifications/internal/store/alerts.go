package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/notifications/internal/store/db"
	"makegood.example/services/notifications/internal/watch"
)

// InsertAlert writes what the queued message m of an alert says, and to whom.
func (s *Store) InsertAlert(ctx context.Context, tx pgx.Tx, m message.Message, a message.TeamAlert, recipient string) error {
	lines := a.Lines
	if lines == nil {
		lines = []string{}
	}
	return wrap("insert alert", db.New(tx).InsertAlert(ctx, db.InsertAlertParams{
		MessageID: m.ID, Recipient: recipient, Title: a.Title, Lines: lines,
	}))
}

// Alert reads what the message of an alert says, and to whom.
func (s *Store) Alert(ctx context.Context, messageID uuid.UUID) (a message.TeamAlert, recipient string, err error) {
	row, err := db.New(s.pool).AlertOf(ctx, messageID)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("message %s has no text: %w", messageID, message.ErrNotFound)
	}
	return message.TeamAlert{Title: row.Title, Lines: row.Lines}, row.Recipient, wrap("alert", err)
}

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

// LockWatch reads the watch and holds it until the transaction ends.
func (s *Store) LockWatch(ctx context.Context, tx pgx.Tx) (watch.Watch, error) {
	row, err := db.New(tx).LockWatch(ctx)
	return watch.Watch{
		LookedAt: row.LookedAt, WatchedSince: row.WatchedSince, WorkedAt: row.WorkedAt, StoppedSince: row.StoppedSince,
	}, wrap("lock watch", err)
}

// PutWatch writes the locked watch.
func (s *Store) PutWatch(ctx context.Context, tx pgx.Tx, w watch.Watch) error {
	return wrap("put watch", db.New(tx).PutWatch(ctx, db.PutWatchParams{
		LookedAt: w.LookedAt, WatchedSince: w.WatchedSince, WorkedAt: w.WorkedAt, StoppedSince: w.StoppedSince,
	}))
}
