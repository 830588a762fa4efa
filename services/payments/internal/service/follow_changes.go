package service

import (
	"context"
	"errors"
	"sync"

	"makegood.example/services/payments/internal/clients"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
)

// Followed is what came of reading one page of what became of charges.
type Followed struct {
	Read int
	// Told are the charges of ours of which something was new here, and Orders
	// has it; Failed those that could not be followed now.
	Told, Failed []string
	Next         string
	// Disputes are those of the page, whoever's their charges are.
	Disputes []payment.SeenDispute
}

// change is what a page says of one charge.
type change struct {
	chargeID, intentID string
	// isNew says that it differs from what is recorded of a payment.
	isNew func(payment.Payment) bool
}

// FollowRefunds reads one page of the refunds that Stripe made in a window,
// newest first, and follows those of charges of ours. Errors:
// payment.ErrUnreachable.
func (s *Service) FollowRefunds(ctx context.Context, w payment.Window, after string) (Followed, error) {
	page, next, err := s.Stripe.ListRefunds(ctx, w, after)
	if err != nil {
		return Followed{}, s.noPage(ctx, after, err)
	}
	ids := make([]string, len(page))
	for i, r := range page {
		ids[i] = r.ID
	}
	recorded, err := s.Store.RefundsByStripeID(ctx, ids)
	if err != nil {
		return Followed{}, err
	}
	var changes []change
	for _, r := range page {
		row, known := recorded[r.ID]
		isNew := !known || row.Status != r.Status
		changes = append(changes, change{r.ChargeID, r.IntentID, func(payment.Payment) bool { return isNew }})
	}
	return s.followAll(ctx, changes, Followed{Read: len(page), Next: next})
}

// FollowDisputes does the same of disputes.
func (s *Service) FollowDisputes(ctx context.Context, w payment.Window, after string) (Followed, error) {
	page, next, err := s.Stripe.ListDisputes(ctx, w, after)
	if err != nil {
		return Followed{}, s.noPage(ctx, after, err)
	}
	var changes []change
	for _, d := range page {
		changes = append(changes, change{d.ChargeID, d.IntentID, func(p payment.Payment) bool { return p.Dispute != d.Stands }})
	}
	return s.followAll(ctx, changes, Followed{Read: len(page), Next: next, Disputes: page})
}

// followAll follows the charges of ours among those that a page is about. One
// that fails does not stop the others. Orders is told of each, also of what is
// recorded here already: whether it took that the last time is not known here.
func (s *Service) followAll(ctx context.Context, changes []change, out Followed) (Followed, error) {
	var charges, intents []string
	for _, c := range changes {
		charges, intents = append(charges, c.chargeID), append(intents, c.intentID)
	}
	saved, err := s.Store.PaymentsOf(ctx, charges, intents, nil)
	if err != nil {
		return Followed{}, err
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, readsAtOnce)
	for _, p := range saved {
		chargeID, isNew := p.ChargeID, false
		for _, c := range changes {
			if c.chargeID == p.ChargeID || p.ChargeID == "" && c.intentID == p.IntentID {
				chargeID, isNew = c.chargeID, isNew || p.ChargeID == "" || c.isNew(p)
			}
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			err := s.followOne(ctx, p, isNew)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				s.Log.WarnContext(ctx, "what became of a charge could not be followed", "charge_id", chargeID, "error", err)
				s.reportNoAccess(ctx, err)
				out.Failed = append(out.Failed, chargeID)
			case isNew:
				out.Told = append(out.Told, chargeID)
			}
		})
	}
	all.Wait()
	return out, nil
}

// followOne records what became of a payment's charge, when there is news, and
// tells Orders.
func (s *Service) followOne(ctx context.Context, p payment.Payment, isNew bool) error {
	k, err := s.known(ctx, p.ID)
	if err == nil && isNew {
		k, err = s.readPaidCharge(ctx, p)
	}
	if err != nil {
		return err
	}
	v, err := s.tellOrders(clients.CaughtUp(ctx), k, "charge")
	if err == nil && v.status != store.Processed {
		err = errors.New(v.note)
	}
	return err
}
