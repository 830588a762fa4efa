package service

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/provisioning/internal/grant"
)

// FollowSubscription records how a subscription stood when Stripe was read, and
// answers until when its account has access by that; nil when it has none. What
// is older than what is known changes nothing. ErrGrantNotFound while the first
// order has no grant.
func (s *Service) FollowSubscription(ctx context.Context, seen grant.Subscription) (*time.Time, error) {
	var account *uuid.UUID
	err := s.Store.InTx(ctx, func(tx pgx.Tx) (err error) {
		if err = s.Store.LockSubscription(ctx, tx, seen.ID); err != nil {
			return err
		}
		if account, err = s.lockSubscriber(ctx, tx, seen); err != nil {
			return err
		}
		known, err := s.Store.Subscription(ctx, tx, seen.ID)
		if err != nil {
			return err
		}
		sub, isNew := grant.Follow(known, seen, s.Settings.GracePeriod)
		if isNew {
			if err := s.Store.PutSubscription(ctx, tx, sub); err != nil {
				return err
			}
			if account != nil {
				if err := s.Store.TouchAccess(ctx, tx, *account, s.now()); err != nil {
					return err
				}
			}
		}
		switch {
		case sub.Status == grant.Ended && (known == nil || known.Status != grant.Ended || seen.Again):
			sub.PaidSince = seen.PaidSince
			return s.endTerms(ctx, tx, sub)
		case sub.Status == grant.Ended:
			return nil // a term that was paid since is its buyer's
		case known != nil && known.Status == grant.Ended:
			return s.resumeTerms(ctx, tx, sub.ID)
		}
		return nil
	})
	if err != nil || account == nil {
		return nil, err
	}
	active, until, err := s.CheckAccess(ctx, *account)
	if !active {
		until = nil
	}
	return until, err
}

// lockSubscriber finds the account that the subscription's terms go to and locks
// it, and makes the first order's term one of them. It is nil when the first
// order was withdrawn before it was granted: there is nobody yet, but how the
// subscription stands is worth knowing for its renewals.
func (s *Service) lockSubscriber(ctx context.Context, tx pgx.Tx, seen grant.Subscription) (*uuid.UUID, error) {
	first, err := s.Store.LockGrant(ctx, tx, seen.OrderID)
	switch {
	case err == nil && first.SubscriptionID == "":
		first.SubscriptionID = seen.ID
		return &first.AccountID, s.Store.UpdateGrant(ctx, tx, first)
	case err == nil:
		return &first.AccountID, nil
	case !errors.Is(err, grant.ErrGrantNotFound):
		return nil, err
	}
	switch at, err := s.Store.WithdrawnUngranted(ctx, tx, seen.OrderID); {
	case err != nil:
		return nil, err
	case at == nil:
		return nil, grant.ErrGrantNotFound
	}
	account, err := s.Store.SubscriptionAccount(ctx, tx, seen.ID)
	if err != nil || account == nil {
		return nil, err
	}
	_, err = s.Store.LockAccount(ctx, tx, *account)
	return account, err
}
