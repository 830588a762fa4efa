package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/webhook"
	"makegood.example/services/payments/internal/wire"
)

// createSession gives the payment a page of Stripe's and saves its id, before
// anyone is told where it is.
func (s *Service) createSession(ctx context.Context, p payment.Payment) (wire.Known, error) {
	customerID, err := s.customer(ctx, p.EmailKey)
	if err != nil {
		return s.unknown(ctx, p, "creating the customer", err)
	}
	p.CustomerID = customerID
	ref := "?ref=" + p.Reference.String()
	session, err := s.Stripe.CreateSession(ctx, p, s.Settings.PublicURL+"/welcome"+ref, s.Settings.PublicURL+"/payment-issue"+ref)
	if errors.Is(err, stripegw.ErrKeyReused) {
		// Nobody was told of a session that may exist: it cannot be paid.
		_, nextErr := s.Store.NextCreateTry(ctx, p)
		err = errors.Join(err, nextErr)
	}
	if err != nil {
		return s.unknown(ctx, p, "creating the checkout session", err)
	}
	saved, err := s.Store.SaveSession(ctx, p.ID, p.CustomerID, session, s.Now())
	if err != nil {
		return wire.Known{}, err
	}
	if !saved {
		now, err := s.Store.Last(ctx, p.OrderID)
		if err != nil {
			return wire.Known{}, err
		}
		if now.SessionID != session.ID { // given up meanwhile
			if err := s.Stripe.ExpireSession(ctx, session.ID); err != nil && !errors.Is(err, stripegw.ErrRefused) {
				return s.unknown(ctx, now, "closing a checkout session that came too late", err)
			}
			return s.known(ctx, now.ID)
		}
	}
	return s.recordSession(ctx, p.ID, session)
}

// readSession asks Stripe for the session and records what it says: its intent,
// once the buyer has paid there.
func (s *Service) readSession(ctx context.Context, p payment.Payment) (wire.Known, error) {
	session, err := s.Stripe.GetSession(ctx, p.SessionID)
	if err != nil {
		return s.unknown(ctx, p, "reading the checkout session", err)
	}
	return s.recordSession(ctx, p.ID, session)
}

func (s *Service) recordSession(ctx context.Context, id uuid.UUID, session payment.Session) (k wire.Known, err error) {
	if session.Status != payment.SessionOpen && session.Intent.ID != "" {
		return s.record(ctx, id, session.Intent, false, nil)
	}
	now := s.Now()
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		p, err := s.Store.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		attempts, err := s.Store.Attempts(ctx, tx, id)
		if err != nil {
			return err
		}
		p.LearnSession(session, attempts, now)
		k = wire.Known{Payment: p, Last: last(attempts)}
		if err := s.Store.Update(ctx, tx, p, now); err != nil || k.Last == nil {
			return err
		}
		return s.Store.UpdateAttempt(ctx, tx, *k.Last)
	})
	return k, err
}

// cancelSession closes the page, unless the buyer has paid there.
func (s *Service) cancelSession(ctx context.Context, p payment.Payment) (wire.Known, error) {
	if err := s.Stripe.ExpireSession(ctx, p.SessionID); errors.Is(err, stripegw.ErrUnknown) {
		return s.unknown(ctx, p, "closing the checkout session", err)
	}
	return s.readSession(ctx, p)
}

// handleSession follows a page of Stripe's. The event only says where to look.
func (s *Service) handleSession(ctx context.Context, e webhook.Event) (verdict, error) {
	var object struct {
		ID                string            `json:"id"`
		ClientReferenceID string            `json:"client_reference_id"`
		Metadata          map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(e.Object, &object); err != nil || object.ID == "" {
		return verdict{status: store.Quarantined, note: "the session cannot be read"}, nil
	}
	p, err := s.Store.BySession(ctx, object.ID)
	method := "checkout_session"
	if errors.Is(err, store.ErrNone) {
		if !s.Stripe.IsOurs(object.Metadata) {
			return verdict{status: store.Ignored, note: "foreign"}, nil
		}
		p, method, err = s.hostedBy(ctx, object.ClientReferenceID, object.Metadata["order_id"])
	}
	switch {
	case errors.Is(err, store.ErrNone) && !e.Livemode:
		return verdict{status: store.Orphaned, method: method, note: "a test event with our marker about a session that is not known here"}, nil
	case errors.Is(err, store.ErrNone):
		return verdict{}, fmt.Errorf("session %s carries our marker and is not known here", object.ID)
	case err != nil:
		return verdict{}, err
	}
	k, err := s.read(ctx, p)
	if err != nil {
		return verdict{}, err
	}
	if k.Payment.Says(k.Last) == payment.Unknown {
		return verdict{}, fmt.Errorf("session %s could not be read", object.ID)
	}
	return s.tellOrders(ctx, k, method)
}

// hostedBy finds the payment of an order that a session or its intent names,
// and by which of its names.
func (s *Service) hostedBy(ctx context.Context, clientReference, metadataOrder string) (payment.Payment, string, error) {
	for _, hint := range []struct{ method, id string }{{"client_reference_id", clientReference}, {"metadata", metadataOrder}} {
		id, err := uuid.Parse(hint.id)
		if err != nil {
			continue
		}
		p, err := s.Store.Last(ctx, id)
		if err == nil && p.SessionID == "" {
			err = store.ErrNone
		}
		if !errors.Is(err, store.ErrNone) {
			return p, hint.method, err
		}
	}
	return payment.Payment{}, "", store.ErrNone
}
