package service

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/provisioning/internal/grant"
	"makegood.example/services/provisioning/internal/store"
)

// RevokeAccess withdraws what one order bought and moves what the account has
// after it forward. However often it is called, it withdraws once. An order
// without a grant is marked, so that it never gets one; then the answer has only
// the order and the time.
func (s *Service) RevokeAccess(ctx context.Context, orderID uuid.UUID) (grant.Grant, error) {
	var g grant.Grant
	err := s.Store.InTx(ctx, func(tx pgx.Tx) (err error) {
		if err = s.Store.LockOrder(ctx, tx, orderID); err != nil {
			return err
		}
		g, err = s.Store.LockGrant(ctx, tx, orderID)
		switch {
		case errors.Is(err, grant.ErrGrantNotFound):
			g, err = s.withdrawUngranted(ctx, tx, orderID)
		case err == nil && g.WithdrawnAt == nil:
			g, err = s.withdraw(ctx, tx, g)
		}
		return err
	})
	return g, err
}

func (s *Service) withdraw(ctx context.Context, tx pgx.Tx, g grant.Grant) (grant.Grant, error) {
	now := s.now()
	g = g.Withdraw(now)
	if err := s.Store.UpdateGrant(ctx, tx, g); err != nil {
		return g, err
	}
	lost := g.Withdrawn()
	if err := s.Store.InsertEvent(ctx, tx, g.OrderID, store.Withdrawn, now, lost); err != nil || lost == nil {
		return g, err
	}
	if err := s.Store.TouchAccess(ctx, tx, g.AccountID, now); err != nil {
		return g, err
	}
	return g, s.moveForward(ctx, tx, g, now)
}

// moveForward closes the gap that gone leaves on the locked account.
func (s *Service) moveForward(ctx context.Context, tx pgx.Tx, gone grant.Grant, now time.Time) error {
	current, err := s.Store.CurrentGrants(ctx, tx, gone.AccountID, now)
	if err != nil {
		return err
	}
	for _, g := range grant.MoveForward(now, gone.StartsAt, current) {
		if err := s.Store.UpdateGrant(ctx, tx, g); err != nil {
			return err
		}
		if err := s.Store.InsertEvent(ctx, tx, g.OrderID, store.Moved, now, g.Stretch()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) withdrawUngranted(ctx context.Context, tx pgx.Tx, orderID uuid.UUID) (grant.Grant, error) {
	at, err := s.Store.WithdrawnUngranted(ctx, tx, orderID)
	if err != nil {
		return grant.Grant{}, err
	}
	if at != nil {
		return grant.NeverGranted(orderID, *at), nil
	}
	now := s.now()
	if err := s.Store.InsertWithdrawal(ctx, tx, orderID, now); err != nil {
		return grant.Grant{}, err
	}
	return grant.NeverGranted(orderID, now), s.Store.InsertEvent(ctx, tx, orderID, store.Withdrawn, now, nil)
}
