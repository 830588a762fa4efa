package service

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
)

// fulfil grants access and then, in one transaction, completes the order and
// queues the one email about it. Callers in this process share one run per
// order, so that the webhook does not repeat what the request is doing.
func (s *Service) fulfil(ctx context.Context, o order.Order, why order.Why) error {
	_, err, _ := s.fulfilling.Do(o.ID.String(), func() (any, error) { return nil, s.fulfilOnce(ctx, o, why) })
	return err
}

// grant gives the term that was bought. An order that was made again after it was lost,
// and is known to have had access, gets exactly the rest of that; one of which nobody
// knows that it ever had any gets its whole term, from now.
func (s *Service) grant(ctx context.Context, o order.Order) (clients.Grant, error) {
	if o.State != order.Orphaned || o.AccessUntil == nil {
		return s.Provisioning.GrantAccess(ctx, o)
	}
	first, err := s.Store.FirstCompleted(ctx, o.EmailKey)
	if err != nil {
		return clients.Grant{}, err
	}
	return s.Provisioning.GrantAgain(ctx, o, first)
}

func (s *Service) fulfilOnce(ctx context.Context, o order.Order, why order.Why) error {
	grant, err := s.grant(ctx, o)
	if err != nil {
		s.Log.WarnContext(ctx, "access is not granted yet; the order stays due", "order_id", o.ID, "state", o.State, "error", err)
		return nil
	}
	if grant.Revoked {
		// Its subscription was thought to be over, or it was refunded meanwhile. The
		// one who tells us needs no error: how it stands is told next, and if that
		// gives no access either, the order's own looks make it a case.
		s.Log.WarnContext(ctx, "the order's access is withdrawn; the order stays due", "order_id", o.ID, "state", o.State)
		return nil
	}
	was, now := o, s.Now()
	event := o.FulfilledAt(now, s.Settings.ApologyAfter)
	next, ok := o.State.After(event)
	if !ok {
		return fmt.Errorf("order %s is %s and cannot be %s", o.ID, o.State, event)
	}
	o.State, o.CompletedAt, o.AccessUntil = next, &now, &grant.EndsAt
	o.RecoveredBy = why.RecoveredBy()
	o.LastProgressAt, o.NextLookAt = now, nil
	told := o.Confirmation()
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.Store.Update(ctx, tx, was, o, why, "access granted until "+grant.EndsAt.UTC().Format("2006-01-02"), now); err != nil {
			return err
		}
		return s.Messages.Queue(ctx, tx, clients.Message{DedupeKey: told.DedupeKey, Kind: told.Kind, OrderID: o.ID})
	})
	if err == nil {
		s.Metrics.complete(o, why.Reason)
	}
	return err
}
