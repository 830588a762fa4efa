// Package service holds the use cases: accepting a message, delivering it,
// checking an address, listing.
package service

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/notifications/internal/store"
	"makegood.example/services/platform/pg"
)

// Queue makes a delivery as durable as the transaction it is given.
type Queue interface {
	EnqueueDelivery(ctx context.Context, tx pgx.Tx, id uuid.UUID) error
}

// Service is what other services and people may ask.
type Service struct {
	Store *store.Store
	Queue Queue
	// MailDomain is the part of a Message-ID after the @.
	MailDomain string
	Now        func() time.Time
}

// SendMessage accepts a message, once per dedupe key: the message under a taken
// key is answered as it is.
func (s *Service) SendMessage(ctx context.Context, dedupeKey string, kind message.Kind, orderID uuid.UUID) (message.Message, error) {
	wanted := message.New(dedupeKey, kind, orderID, s.MailDomain, s.Now())
	var kept message.Message
	err := pg.InTx(ctx, s.Store.Pool(), func(tx pgx.Tx) error {
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
