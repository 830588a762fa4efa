package store

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/notifications/internal/store/db"
)

// InsertLetter keeps what a person wrote, beside its message.
func (s *Store) InsertLetter(ctx context.Context, tx pgx.Tx, id uuid.UUID, l message.Letter) error {
	return wrap("insert letter", db.New(tx).InsertLetter(ctx, db.InsertLetterParams{
		MessageID: id, Recipient: l.To, Subject: l.Subject, Body: l.Text, InReplyTo: l.InReplyTo,
	}))
}

// RepliesTo reads the newest replies to an address that are about no order.
func (s *Store) RepliesTo(ctx context.Context, address string) ([]message.Message, error) {
	rows, err := db.New(s.pool).RepliesTo(ctx, address)
	return fromRows(rows), wrap("replies to an address", err)
}

// Letter reads what a person wrote.
func (s *Store) Letter(ctx context.Context, id uuid.UUID) (message.Letter, error) {
	row, err := db.New(s.pool).LetterOf(ctx, id)
	return message.Letter{To: row.Recipient, Subject: row.Subject, Text: row.Body, InReplyTo: row.InReplyTo}, wrap("letter of a message", err)
}
