package service

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/provisioning/internal/grant"
	"makegood.example/services/provisioning/internal/store"
)

// RestoreAccess undoes a withdrawal; a grant that was not withdrawn is answered
// as it is. ErrGrantNotFound without a grant; if the order was marked so that it
// never gets one, the mark is gone then, and GrantAccess is the next step.
func (s *Service) RestoreAccess(ctx context.Context, orderID uuid.UUID) (grant.Grant, error) {
	var g grant.Grant
	granted := true
	err := s.Store.InTx(ctx, func(tx pgx.Tx) (err error) {
		if err = s.Store.LockOrder(ctx, tx, orderID); err != nil {
			return err
		}
		g, err = s.Store.LockGrant(ctx, tx, orderID)
		switch {
		case errors.Is(err, grant.ErrGrantNotFound):
			granted = false // said after the commit: lifting the mark must last
			return s.liftMark(ctx, tx, orderID)
		case err == nil && g.WithdrawnAt != nil:
			g, err = s.restore(ctx, tx, g)
		}
		return err
	})
	if err == nil && !granted {
		err = grant.ErrGrantNotFound
	}
	return g, err
}

func (s *Service) restore(ctx context.Context, tx pgx.Tx, g grant.Grant) (grant.Grant, error) {
	now := s.now()
	current, err := s.Store.CurrentGrants(ctx, tx, g.AccountID, now)
	if err != nil {
		return g, err
	}
	var given *grant.Stretch
	lost := g.Withdrawn()
	g = g.Restore(now, grant.LatestEnd(current))
	if lost != nil {
		given = g.Stretch()
	}
	if err := s.Store.UpdateGrant(ctx, tx, g); err != nil {
		return g, err
	}
	if err := s.Store.InsertEvent(ctx, tx, g.OrderID, store.Restored, now, given); err != nil {
		return g, err
	}
	return g, s.Store.TouchAccess(ctx, tx, g.AccountID, now)
}

func (s *Service) liftMark(ctx context.Context, tx pgx.Tx, orderID uuid.UUID) error {
	lifted, err := s.Store.DeleteWithdrawal(ctx, tx, orderID)
	if err != nil || !lifted {
		return err
	}
	return s.Store.InsertEvent(ctx, tx, orderID, store.Restored, s.now(), nil)
}
