package service

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store"
)

// Advance looks at an order, takes the next step, and repeats until the order
// rests or waits for something outside. It is the only way to fulfil. It may
// run any number of times, at once, on any machine: every step is guarded by
// the order's version and every effect is idempotent.
//
// news is what Payments has just recorded; nil asks Payments. A peer that cannot
// be reached is no error: the order stays due, and its next look goes on.
func (s *Service) Advance(ctx context.Context, id uuid.UUID, why order.Why, news *order.Money) (order.Order, error) {
	ctx, cancel := detach(ctx)
	defer cancel()
	// Whether its access is still there is asked for those who come without news:
	// access that was lost must not come back by the way, unnoticed.
	checksAccess := news == nil && why.ChecksAccess()
	takesAgain := checksAccess
	for range maxSteps {
		o, err := s.Store.Get(ctx, id)
		if err != nil {
			return order.Order{}, err
		}
		more, err := s.step(ctx, o, why, news, checksAccess, takesAgain)
		switch {
		case errors.Is(err, store.ErrChanged):
			// Someone else took a step; look again. What this one restored may have come
			// after what they withdrew.
			takesAgain = takesAgain || o.AccessWithdrawnAt != nil
			continue
		case err != nil:
			return order.Order{}, err
		case !more:
			return s.Store.Get(ctx, id)
		}
		news = nil
	}
	return s.Store.Get(ctx, id)
}

// step takes one step; more says whether another can follow at once. checksAccess:
// access that must be there is looked after; takesAgain: access that must not be is
// withdrawn once more.
func (s *Service) step(ctx context.Context, o order.Order, why order.Why, news *order.Money, checksAccess, takesAgain bool) (more bool, err error) {
	if !o.State.Paid() {
		if news == nil {
			if news, err = s.askPayments(ctx, o, why); err != nil {
				s.Log.WarnContext(ctx, "payments gave no answer; the order stays due", "order_id", o.ID, "error", err)
				return false, nil
			}
		}
		return s.settle(ctx, o, *news, why)
	}
	var newsErr error
	if news != nil {
		var changed bool
		if changed, newsErr = s.follow(ctx, o, *news, why); changed {
			return true, newsErr
		}
	}
	switch {
	case o.FullyRefunded() && o.State != order.Refunded:
		more, err = s.refunded(ctx, o, why)
	case !o.AccessIsRight():
		more, err = s.rightAccess(ctx, o, why)
	case o.RefundRuns():
		more, err = s.giveBack(ctx, o, why)
	case o.State == order.Charged || o.State == order.Orphaned:
		err = s.fulfil(ctx, o, why)
	case o.LosesAccess():
		if takesAgain {
			err = s.Provisioning.WithdrawAccess(ctx, o)
		}
	case o.State.Fulfilled() && checksAccess:
		more, err = s.keepAccess(ctx, o, why)
	}
	return more, errors.Join(newsErr, err)
}

// askPayments asks for what the order needs next.
func (s *Service) askPayments(ctx context.Context, o order.Order, why order.Why) (*order.Money, error) {
	paused, err := s.Store.ChargingPaused(ctx)
	if err != nil {
		return nil, err
	}
	paidSince, err := s.Store.HasPaidSince(ctx, o)
	if err != nil {
		return nil, err
	}
	var m order.Money
	switch step := o.NextStep(order.Circumstances{
		Now: s.Now(), ChargeWithin: s.Settings.ChargeWithin, ExpiresAfter: s.Settings.ExpiresAfter,
		Paused: paused, PaidSince: paidSince, ReadOnly: !why.MayCharge(),
	}); step {
	case order.Charge:
		m, err = s.Payments.Charge(ctx, o, o.ChargeBy(s.Settings.ChargeWithin))
	case order.Look:
		m, err = s.Payments.Look(ctx, o)
	case order.Cancel:
		m, err = s.Payments.Cancel(ctx, o)
	}
	return &m, err
}
