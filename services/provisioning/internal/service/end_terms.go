package service

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/provisioning/internal/grant"
	"makegood.example/services/provisioning/internal/store"
)

// endTerms takes what is left of the terms that were paid before the subscription
// ended. What the account has of other orders moves forward, so that nothing paid
// waits behind a gap.
func (s *Service) endTerms(ctx context.Context, tx pgx.Tx, sub grant.Subscription) error {
	now := s.now()
	terms, err := s.Store.SubscriptionGrants(ctx, tx, sub.ID)
	if err != nil {
		return err
	}
	var first *grant.Grant
	for _, g := range terms {
		if slices.Contains(sub.PaidSince, g.OrderID) {
			continue
		}
		g, lost := g.End(now)
		if lost == nil {
			continue
		}
		if first == nil {
			first = &g
		}
		if err := s.Store.UpdateGrant(ctx, tx, g); err != nil {
			return err
		}
		if err := s.Store.InsertEvent(ctx, tx, g.OrderID, store.Ended, now, lost); err != nil {
			return err
		}
	}
	if first == nil {
		return nil
	}
	return s.moveForward(ctx, tx, *first, now)
}

// resumeTerms gives back what endTerms took, for a subscription that was not
// over after all: an unpaid one can still be paid.
func (s *Service) resumeTerms(ctx context.Context, tx pgx.Tx, subscriptionID string) error {
	terms, err := s.Store.SubscriptionGrants(ctx, tx, subscriptionID)
	if err != nil {
		return err
	}
	for _, g := range terms {
		if g.EndedAt == nil {
			continue
		}
		g = g.Resume()
		if err := s.Store.UpdateGrant(ctx, tx, g); err != nil {
			return err
		}
		if err := s.Store.InsertEvent(ctx, tx, g.OrderID, store.Resumed, s.now(), g.Stretch()); err != nil {
			return err
		}
	}
	return nil
}
