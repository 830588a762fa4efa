package service

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	render "makegood.example/services/notifications/internal/mail"
	"makegood.example/services/notifications/internal/message"
)

// SendLetter accepts a person's reply, once per dedupe key: the first text under a
// key is the only one. orderID may be uuid.Nil.
func (s *Service) SendLetter(ctx context.Context, dedupeKey string, orderID uuid.UUID, l message.Letter) (message.Message, error) {
	l, err := l.Checked()
	if err != nil {
		return message.Message{}, err
	}
	wanted := message.New(dedupeKey, message.SupportReply, orderID, s.mailDomain(), s.Now())
	var kept message.Message
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		var isNew bool
		var err error
		if kept, isNew, err = s.Store.Insert(ctx, tx, wanted); err != nil || !isNew {
			return err
		}
		if err := s.Store.InsertLetter(ctx, tx, kept.ID, l); err != nil {
			return err
		}
		return s.Queue.EnqueueDelivery(ctx, tx, kept.ID)
	})
	return kept, err
}

// attemptLetter sends what was written, into the thread that it answers.
func (s *Service) attemptLetter(ctx context.Context, m message.Message) error {
	l, err := s.Store.Letter(ctx, m.ID)
	if err != nil {
		return err
	}
	// A person wrote it, so an answer by a machine may come back to them.
	headers := map[string]string{"Auto-Submitted": "no"}
	if l.InReplyTo != "" {
		headers["In-Reply-To"], headers["References"] = "<"+l.InReplyTo+">", "<"+l.InReplyTo+">"
	}
	return s.sendWith(ctx, m, l.To, headers, render.Rendered{Subject: l.Subject, Text: l.Text})
}
