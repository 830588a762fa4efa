package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/payments/internal/clients"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
)

// followSubscription is the one way in which anything is learned of a
// subscription: it reads the subscription and its invoices from Stripe, writes a
// payment for each term that was paid, tells Orders of each until Orders
// acknowledged it, and then of how the subscription stands. It moves no money,
// may be repeated at any time, and goes on where a killed one stopped. The note
// says why Orders was not told. person is a purchase of whoever an event was found
// to be for, if one was.
// Errors: stripegw.ErrNotFound, errNobody, errOtherSubscription.
func (s *Service) followSubscription(ctx context.Context, id string, person payment.Payment, reason clients.Reason) (note string, err error) {
	known, err := s.Store.Subscription(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return "", err
	}
	readAt := s.Now()
	now, err := s.Stripe.GetSubscription(ctx, id)
	if err != nil {
		return "", err
	}
	invoices, err := s.Stripe.ListInvoices(ctx, id, known.SettledUntil)
	if err != nil {
		return "", err
	}
	for _, inv := range invoices {
		if inv.Paid() {
			if err := s.recordInvoice(ctx, now, person, inv); err != nil {
				return "", fmt.Errorf("invoice %s: %w", inv.ID, err)
			}
		}
	}
	// A subscription begins with its first paid term. Before that it means nothing.
	switch sub, err := s.Store.Subscription(ctx, id); {
	case errors.Is(err, store.ErrNone):
		return noTermPaid, nil
	case err != nil:
		return "", err
	default:
		sub.Observe(now, invoices, readAt)
		return "", s.tellSubscription(ctx, sub, reason)
	}
}

// tellSubscription tells Orders what was paid and then how the subscription
// stands, and plans the next look once Orders has both. One that is over is told
// with the terms that were paid after its end: heard of at once, they must not be
// taken by it, no more than when they are heard of one after the other.
func (s *Service) tellSubscription(ctx context.Context, sub payment.Subscription, reason clients.Reason) error {
	if err := s.tellTerms(ctx, sub.ID, reason); err != nil {
		return err
	}
	newer, err := s.Store.SaveSubscription(ctx, sub, s.Now().Add(soon(s.Settings.RescueAfter, sub.LookCount)))
	if err != nil || !newer {
		return err // what was observed later is told by whoever observed it
	}
	// Asked only now: whatever a parallel call has had granted is among them.
	if sub.PaidSince, err = s.Store.TermsPaidSince(ctx, sub); err != nil {
		return err
	}
	err = s.Orders.Follow(ctx, sub)
	if clients.IsOrderNotFound(err) {
		if err := s.lostByOrders(ctx, sub.ID); err != nil {
			return err
		}
		if err := s.tellTerms(ctx, sub.ID, reason); err != nil {
			return err
		}
		err = s.Orders.Follow(ctx, sub)
	}
	if err != nil {
		return fmt.Errorf("orders, of the subscription: %w", err)
	}
	return s.Store.RestSubscription(ctx, sub)
}

// soon is when a subscription is looked at again that Orders was not told of: after
// longer and longer, as often as that was in vain. What is claimed waits the same.
func soon(first time.Duration, looks int32) time.Duration {
	first = max(first, time.Second)
	return min(first<<min(looks, 12), max(first, time.Hour))
}

// lostByOrders is for when Orders was restored from before a subscription
// began: it is told of every term again.
func (s *Service) lostByOrders(ctx context.Context, subscriptionID string) error {
	return s.Store.ForgetTold(ctx, subscriptionID, s.Now().Add(s.Settings.RescueAfter))
}

// tellTerms tells Orders of the paid terms that it has not acknowledged; a
// second round is for those that turn out to be lost there in the first.
func (s *Service) tellTerms(ctx context.Context, subscriptionID string, reason clients.Reason) error {
	for range 2 {
		terms, err := s.Store.UntoldTerms(ctx, subscriptionID)
		if err != nil {
			return err
		}
		for _, p := range terms {
			if err := s.tellTerm(ctx, p, reason); err != nil {
				return fmt.Errorf("orders, of invoice %s: %w", p.Term.InvoiceID, err)
			}
			if err := s.Store.TermTold(ctx, p.ID, s.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) tellTerm(ctx context.Context, p payment.Payment, reason clients.Reason) error {
	k, err := s.known(ctx, p.ID)
	if err != nil {
		return err
	}
	var told clients.Told
	if p.RenewsOrderID == uuid.Nil {
		if told, err = s.Orders.Advance(ctx, k, reason); clients.IsOrderNotFound(err) {
			told, err = s.adopt(ctx, k)
		}
	} else {
		told, err = s.adopt(ctx, k)
	}
	switch {
	case clients.IsCannotAdopt(err):
		return errors.Join(err, s.Cases.OpenSubscription(ctx, p.Term.SubscriptionID, fmt.Sprintf(
			"invoice %s of a subscription was paid, and the order cannot be made: plan %q may be unknown", p.Term.InvoiceID, p.PlanID)))
	case err != nil:
		return err
	case !told.Took():
		return errors.New("the order does not take the payment")
	}
	return nil
}

// LookAtSubscription is the subscription's own look: it follows it without any
// event, and makes it a case when that does not succeed for long.
func (s *Service) LookAtSubscription(ctx context.Context, sub payment.Subscription) error {
	ctx, cancel := detach(ctx)
	defer cancel()
	_, err := s.followSubscription(ctx, sub.ID, payment.Payment{}, clients.Rescue)
	if err == nil {
		return nil
	}
	s.reportNoAccess(ctx, err)
	if sub.LookCount >= subscriptionCaseAfterLooks {
		err = errors.Join(err, s.Cases.OpenSubscription(ctx, sub.ID, fmt.Sprintf(
			"this subscription could not be followed in %d looks: what is known of it may be out of date", sub.LookCount)))
	}
	return err
}

// ClaimDueSubscriptions takes subscriptions that are due for a look.
func (s *Service) ClaimDueSubscriptions(ctx context.Context, limit int) ([]payment.Subscription, error) {
	return s.Store.ClaimDueSubscriptions(ctx, s.Now(), max(s.Settings.RescueAfter, time.Second), limit)
}

// ResumeSubscriptionsAtStart makes what was in hand when Payments last stopped
// due now.
func (s *Service) ResumeSubscriptionsAtStart(ctx context.Context) error {
	_, err := s.Store.MakeSubscriptionsDue(ctx, s.Now())
	return err
}
