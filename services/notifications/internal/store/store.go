// Package store keeps messages in PostgreSQL.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/notifications/internal/store/db"
	"makegood.example/services/platform/pg"
)

// Store reads and writes messages.
type Store struct{ pool *pgxpool.Pool }

// New makes a store on a pool of the service's role.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// InTx runs fn in one transaction; fn may run again.
func (s *Store) InTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return pg.InTx(ctx, s.pool, fn)
}

// Insert writes a queued message unless its key is taken. It answers with the
// message that has the key, and whether it is new.
func (s *Store) Insert(ctx context.Context, tx pgx.Tx, m message.Message) (message.Message, bool, error) {
	q := db.New(tx)
	row, err := q.InsertMessage(ctx, db.InsertMessageParams{
		ID: m.ID, DedupeKey: m.DedupeKey, Kind: string(m.Kind), OrderID: orNull(m.OrderID), MessageID: m.MessageID, CreatedAt: m.CreatedAt,
	})
	if err == nil {
		return fromRow(row), true, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return message.Message{}, false, fmt.Errorf("insert message: %w", err)
	}
	row, err = q.MessageByKey(ctx, m.DedupeKey)
	if err != nil {
		return message.Message{}, false, fmt.Errorf("message by key: %w", err)
	}
	return fromRow(row), false, nil
}

// Load reads one message; message.ErrNotFound when there is none.
func (s *Store) Load(ctx context.Context, id uuid.UUID) (message.Message, error) {
	row, err := db.New(s.pool).MessageByID(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return message.Message{}, message.ErrNotFound
	}
	if err != nil {
		return message.Message{}, fmt.Errorf("message by id: %w", err)
	}
	return fromRow(row), nil
}

// ListByOrder lists the messages of one order, oldest first.
func (s *Store) ListByOrder(ctx context.Context, orderID uuid.UUID) ([]message.Message, error) {
	rows, err := db.New(s.pool).MessagesByOrder(ctx, &orderID)
	if err != nil {
		return nil, fmt.Errorf("messages by order: %w", err)
	}
	return fromRows(rows), nil
}

// Find reads the messages that there are under these keys, in one query.
func (s *Store) Find(ctx context.Context, dedupeKeys []string) ([]message.Message, error) {
	rows, err := db.New(s.pool).MessagesByKeys(ctx, dedupeKeys)
	return fromRows(rows), wrap("messages by keys", err)
}

// BeginSending claims the next attempt of m; false when another worker was
// faster or the message has come to rest.
func (s *Store) BeginSending(ctx context.Context, m message.Message) (bool, error) {
	n, err := db.New(s.pool).BeginSending(ctx, db.BeginSendingParams{ID: m.ID, AttemptCount: m.AttemptCount})
	return n == 1, wrap("begin sending", err)
}

// MarkSent records that the mail server accepted the message.
func (s *Store) MarkSent(ctx context.Context, id uuid.UUID, recipient string, at time.Time) error {
	_, err := db.New(s.pool).MarkSent(ctx, db.MarkSentParams{ID: id, Recipient: &recipient, SentAt: &at})
	return wrap("mark sent", err)
}

// MarkSuperseded records that what the message says is no longer true.
func (s *Store) MarkSuperseded(ctx context.Context, id uuid.UUID, reason string) error {
	_, err := db.New(s.pool).MarkSuperseded(ctx, db.MarkSupersededParams{ID: id, Reason: reason})
	return wrap("mark superseded", err)
}

// MarkFailed records that the message was given up.
func (s *Store) MarkFailed(ctx context.Context, id uuid.UUID, reason string) error {
	_, err := db.New(s.pool).MarkFailed(ctx, db.MarkFailedParams{ID: id, Reason: reason})
	return wrap("mark failed", err)
}

// NoteError records why the last delivery failed; another will follow.
func (s *Store) NoteError(ctx context.Context, id uuid.UUID, reason string) error {
	_, err := db.New(s.pool).NoteError(ctx, db.NoteErrorParams{ID: id, Reason: reason})
	return wrap("note error", err)
}

// NoteServerFailure records that the mail server cannot be used at a time, and
// answers since when it could not; a failure before apartBefore is forgotten.
func (s *Store) NoteServerFailure(ctx context.Context, at, apartBefore time.Time) (time.Time, error) {
	since, err := db.New(s.pool).NoteServerFailure(ctx, db.NoteServerFailureParams{At: at, ApartBefore: apartBefore})
	return since, wrap("note server failure", err)
}

// NoteServerAnswer records that the mail server can be used.
func (s *Store) NoteServerAnswer(ctx context.Context) error {
	return wrap("note server answer", db.New(s.pool).NoteServerAnswer(ctx))
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func fromRow(r db.Message) message.Message {
	m := message.Message{
		ID: r.ID, DedupeKey: r.DedupeKey, Kind: message.Kind(r.Kind), State: message.State(r.State),
		MessageID: r.MessageID, CreatedAt: r.CreatedAt, SentAt: r.SentAt, AttemptCount: r.AttemptCount, LastError: r.LastError,
	}
	if r.OrderID != nil {
		m.OrderID = *r.OrderID
	}
	return m
}

func fromRows(rows []db.Message) []message.Message {
	out := make([]message.Message, len(rows))
	for i, row := range rows {
		out[i] = fromRow(row)
	}
	return out
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
