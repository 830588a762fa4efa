package service

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
)

// FollowSubscription records how a subscription stood when Stripe was read, has
// Provisioning follow, tells its buyer what they must know, and answers until
// when there is access; nil when there is none. What is older than what is known
// changes nothing, and whoever tells it again finishes what a crash left undone:
// each step goes by what is stored, and each notice is queued once.
// Errors: order.ErrNotFound; order.ErrNotStarted while the order that began it
// has no access yet.
func (s *Service) FollowSubscription(ctx context.Context, seen order.Subscription) (*time.Time, error) {
	first, err := s.Store.Get(ctx, seen.OrderID)
	switch {
	case err != nil:
		return nil, err
	case first.Kind != order.Purchase:
		return nil, order.ErrNotFound.With("order_id", first.ID.String())
	case first.Held():
		return nil, nil // nothing is given until a person has decided
	case seen.Status == order.Ended && first.State.AtRest() && !first.State.Paid():
		return nil, nil // over before it was paid: there is nothing to follow
	case !first.State.Fulfilled() && first.State != order.Refunded:
		return nil, order.ErrNotStarted.With("state", string(first.State))
	}
	known, err := s.observe(ctx, seen)
	if err != nil {
		return nil, err
	}
	if known.AccessUntil, err = s.Provisioning.FollowSubscription(ctx, known); err != nil {
		return nil, err
	}
	return known.AccessUntil, s.notify(ctx, known)
}

// observe stores the observation if it is the latest, and answers with the latest.
func (s *Service) observe(ctx context.Context, seen order.Subscription) (latest order.Subscription, err error) {
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.Store.LockSubscription(ctx, tx, seen.ID); err != nil {
			return err
		}
		known, err := s.Store.Subscription(ctx, tx, seen.ID)
		if err != nil {
			return err
		}
		switch {
		case known == nil:
			latest, err = seen, s.Store.PutSubscription(ctx, tx, seen)
		case seen.NewerThan(*known):
			seen.OrderID = known.OrderID
			latest, err = seen, s.Store.PutSubscription(ctx, tx, seen)
		default:
			latest = *known
			if latest.LeaveAlone(seen.PaidSince) {
				err = s.Store.PutSubscription(ctx, tx, latest)
			}
		}
		latest.Again = seen.Again
		return err
	})
	return latest, err
}

// notify stores what Provisioning answered, with the notices that are true now: a
// mail about a failed renewal also says until when there is access. When
// something newer was observed meanwhile, that is told instead.
func (s *Service) notify(ctx context.Context, sub order.Subscription) error {
	return s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if latest, err := s.Store.SetSubscriptionAccess(ctx, tx, sub); err != nil || !latest {
			return err
		}
		now := s.Now()
		for _, n := range sub.Notices(now, s.Settings.AccessEndingNotice) {
			switch isNew, err := s.Store.InsertNotice(ctx, tx, n, sub.ID, now); {
			case err != nil:
				return err
			case !isNew:
				continue
			}
			// It is about the order that began the subscription.
			if err := s.Messages.Queue(ctx, tx, clients.Message{DedupeKey: n.DedupeKey, Kind: n.Kind, OrderID: sub.OrderID}); err != nil {
				return err
			}
		}
		return nil
	})
}
