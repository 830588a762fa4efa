package service

import (
	"context"
	"time"
)

const (
	// bodyRestsFor is how long the body of an event at rest stays in the ledger's row:
	// longer than Stripe delivers an event again and than two releases run side by side.
	bodyRestsFor = 7 * 24 * time.Hour
	// bodyWalkEvery is the time between two walks. One instance walks for bodyWalkFor, and
	// has bodyWalkLease before another takes it over.
	bodyWalkEvery = 24 * time.Hour
	bodyWalkFor   = 20 * time.Second
	bodyWalkLease = time.Minute
)

// ClaimBodyWalk takes the next step of the walk through the ledger, when it is due.
func (s *Service) ClaimBodyWalk(ctx context.Context, _ int) ([]bool, error) {
	now := s.Now()
	return s.Store.ClaimBodyWalk(ctx, now, now.Add(bodyWalkLease))
}

// WalkBodies moves the bodies of events at rest out of the ledger, page by page, and at
// the end of a walk drops the months that are older than what is kept. What is left
// when its time is up is the next one's.
func (s *Service) WalkBodies(ctx context.Context, _ bool) error {
	ctx, cancel := detach(ctx)
	defer cancel()
	for begun := time.Now(); time.Since(begun) < bodyWalkFor; {
		now := s.Now()
		w, err := s.Store.WalkBodies(ctx, now.Add(-bodyRestsFor), now.Add(-s.Settings.RawBodyRetention), now, now.Add(bodyWalkEvery))
		if err != nil {
			return err
		}
		s.Metrics.moveBodies(w.Moved)
		if len(w.Dropped) > 0 {
			s.Log.Info("bodies of events are dropped by the month", "months", w.Dropped)
		}
		if w.Ended {
			return nil
		}
	}
	return nil
}
