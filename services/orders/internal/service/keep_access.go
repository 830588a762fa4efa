package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
)

// keepAccess makes sure that an order which was completed has its access: a grant
// that Provisioning lost is given again for exactly the period it had, and the
// order's own date is kept true. Nobody is written to: the buyer was told once.
// Errors: when Provisioning cannot be asked, for nothing else looks at an order
// at rest.
func (s *Service) keepAccess(ctx context.Context, o order.Order, why order.Why) (more bool, err error) {
	first, err := s.Store.FirstCompleted(ctx, o.EmailKey)
	if err != nil {
		return false, err
	}
	grant, err := s.Provisioning.GrantAgain(ctx, o, first)
	switch {
	case err != nil:
		return false, err
	case grant.Revoked && o.SubscriptionID != "":
		return false, nil // its subscription ended before its term did
	case grant.Revoked:
		return s.regain(ctx, o, why)
	}
	return false, s.noteAccess(ctx, o, why, grant)
}

// regain restores access that was withdrawn although the order says that it must
// be there, if Payments, asked now, says so too: it may be the order that is old.
func (s *Service) regain(ctx context.Context, o order.Order, why order.Why) (more bool, err error) {
	m, err := s.Payments.Look(ctx, o)
	if err != nil {
		return false, err
	}
	if changed, err := s.follow(ctx, o, m, why); err != nil || changed {
		return changed, err
	}
	if m.Status != order.Succeeded || m.ChargeID != o.ChargeID {
		return false, errNoLongerSo
	}
	grant, granted, err := s.Provisioning.RestoreAccess(ctx, o)
	if err != nil || !granted { // marked as never to be granted: the mark is gone now
		return err == nil, err
	}
	grant.GrantedNow = true
	return false, s.noteAccess(ctx, o, why, grant)
}

func (s *Service) noteAccess(ctx context.Context, o order.Order, why order.Why, grant clients.Grant) error {
	if grant.GrantedNow && o.SubscriptionID != "" {
		if err := s.retellSubscription(ctx, o.Began()); err != nil {
			return err
		}
	}
	until := grant.EndsAt.UTC().Format("2006-01-02")
	var note string
	switch {
	case grant.GrantedNow:
		note = "the access was lost, and is given again until " + until
		s.Log.WarnContext(ctx, "access that was lost is given again", "order_id", o.ID, "until", until)
	case !grant.EndsAt.Equal(*o.AccessUntil):
		note = fmt.Sprintf("access is until %s; it was %s here", until, o.AccessUntil.UTC().Format("2006-01-02"))
	default:
		return nil
	}
	was := o
	o.AccessUntil = &grant.EndsAt
	return s.Store.InTx(ctx, func(tx pgx.Tx) error { return s.Store.Update(ctx, tx, was, o, why, note, s.Now()) })
}

// retellSubscription has Provisioning follow a subscription as it was last heard
// of: with the grants it lost that too.
func (s *Service) retellSubscription(ctx context.Context, began uuid.UUID) error {
	sub, err := s.Store.SubscriptionOf(ctx, began)
	if err != nil || sub == nil {
		return err
	}
	sub.Again = sub.PaidSince != nil // else an end might take what was paid after it
	_, err = s.FollowSubscription(ctx, *sub)
	if errors.Is(err, order.ErrNotStarted) {
		return nil // the order that began it is given again too, and tells it then
	}
	return err
}
