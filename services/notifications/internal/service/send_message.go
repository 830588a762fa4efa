package service

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/message"
)

// SendMessage accepts a message, once per dedupe key: the message under a taken
// key is answered as it is.
func (s *Service) SendMessage(ctx context.Context, dedupeKey string, kind message.Kind, orderID uuid.UUID) (message.Message, error) {
	wanted := message.New(dedupeKey, kind, orderID, s.mailDomain(), s.Now())
	var kept message.Message
	err := s.Store.InTx(ctx, func(tx pgx.Tx) error {
		var isNew bool
		var err error
		if kept, isNew, err = s.Store.Insert(ctx, tx, wanted); err != nil || !isNew {
			return err
		}
		return s.Queue.EnqueueDelivery(ctx, tx, kept.ID)
	})
	return kept, err
}

// ListMessages lists the messages of one order, oldest first.
func (s *Service) ListMessages(ctx context.Context, orderID uuid.UUID) ([]message.Message, error) {
	return s.Store.ListByOrder(ctx, orderID)
}
