package service

import (
	"context"
	"errors"
	"sync"
	"time"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/platform/apperr"
)

// readsAtOnce bounds how many charges are read by their ids at once.
const readsAtOnce = 8

// ListCharges reads one page of the charges of the account, newest first, with
// whose each is. It changes nothing. Errors: payment.ErrUnreachable.
func (s *Service) ListCharges(ctx context.Context, w payment.Window, after string) (page []Seen, next string, err error) {
	charges, next, err := s.Stripe.ListCharges(ctx, w, after)
	if err != nil {
		return nil, "", s.noPage(ctx, after, err)
	}
	page, err = s.owners(ctx, charges, func(ctx context.Context) (map[string]payment.Behind, error) {
		return s.Stripe.BehindCharges(ctx, w, after)
	})
	return page, next, s.unreachable(ctx, err)
}

// SeeCharges reads charges by their ids, in their order; those that Stripe does
// not have are left out. Errors: payment.ErrUnreachable.
func (s *Service) SeeCharges(ctx context.Context, ids []string) ([]Seen, error) {
	page, _, err := s.seeCharges(ctx, ids, false)
	return page, err
}

// SeeMostCharges does the same, and answers with the ids of those of which Stripe gave
// no whole answer: one of them must not keep the others from being seen. When it gave
// none of any it is an error.
func (s *Service) SeeMostCharges(ctx context.Context, ids []string) (page []Seen, unread []string, err error) {
	return s.seeCharges(ctx, ids, true)
}

// toSayWhose is left of a caller's time when charges are not read any more.
const toSayWhose = 2 * time.Second

func (s *Service) seeCharges(ctx context.Context, ids []string, partial bool) (page []Seen, unread []string, err error) {
	charges, behind, errs := make([]payment.SeenCharge, len(ids)), make([]payment.Behind, len(ids)), make([]error, len(ids))
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok && partial {
		reading, cancel = context.WithDeadline(reading, deadline.Add(-toSayWhose))
		defer cancel()
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, readsAtOnce)
	for i, id := range ids {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			charges[i], behind[i], errs[i] = s.Stripe.SeeCharge(reading, id)
			if errs[i] != nil && !errors.Is(errs[i], stripegw.ErrNotFound) && !partial {
				cancel() // the page is lost: the others need not be read
			}
		})
	}
	all.Wait()
	var found []payment.SeenCharge
	known := map[string]payment.Behind{}
	var failed error
	for i, id := range ids {
		switch {
		case errs[i] == nil:
			found = append(found, charges[i])
			known[charges[i].ID] = behind[i]
		case !errors.Is(errs[i], stripegw.ErrNotFound):
			unread, failed = append(unread, id), errors.Join(failed, errs[i])
		}
	}
	if failed != nil && (!partial || len(unread) == len(ids)) {
		return nil, nil, s.unreachable(ctx, failed)
	}
	page, err = s.owners(ctx, found, func(context.Context) (map[string]payment.Behind, error) { return known, nil })
	return page, unread, s.unreachable(ctx, err)
}

// Recorded answers which of some charges are recorded here as paid.
func (s *Service) Recorded(ctx context.Context, charges []string) (recorded []string, err error) {
	saved, err := s.Store.PaymentsOf(ctx, charges, nil, nil)
	for _, p := range saved {
		if p.Status == payment.Succeeded {
			recorded = append(recorded, p.ChargeID)
		}
	}
	return recorded, err
}

// unreachable is what callers are told when Stripe gave no whole answer. Other
// errors stay what they are.
func (s *Service) unreachable(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, stripegw.ErrUnknown), errors.Is(err, stripegw.ErrRefused):
		s.reportNoAccess(context.WithoutCancel(ctx), err)
		return payment.ErrUnreachable.Because(err)
	case errors.Is(err, stripegw.ErrNotFound):
		return payment.ErrNoCharge.Because(err)
	default:
		return err
	}
}

// noPage is the same of a page after an id, which Stripe may not have.
func (s *Service) noPage(ctx context.Context, after string, err error) error {
	if after != "" && errors.Is(err, stripegw.ErrRefused) {
		return apperr.Invalid("page_token", "Stripe does not know it")
	}
	return s.unreachable(ctx, err)
}
