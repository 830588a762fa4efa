package service

import (
	"context"

	"makegood.example/services/payments/internal/store"
)

// ReplayEvent handles an event again, now, whatever became of it; one with
// effects stays as it is. Errors: payment.ErrEventNotFound, payment.ErrNotYet.
func (s *Service) ReplayEvent(ctx context.Context, eventID, actor string) (store.Entry, error) {
	ctx, cancel := detach(ctx)
	defer cancel()
	now := s.Now()
	f, mine, err := s.Store.Take(ctx, store.Act{EventID: eventID, Actor: actor, At: now}, now.Add(inHandFor))
	if err != nil {
		return store.Entry{}, err
	}
	if mine {
		s.Metrics.begin(byRetry)
		_, err = s.work(ctx, f)
	} else {
		_, err = s.awaitOther(ctx, eventID)
	}
	if err != nil {
		return store.Entry{}, err
	}
	return s.Store.Entry(ctx, eventID)
}
