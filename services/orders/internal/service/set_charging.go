package service

import (
	"context"
	"time"
)

// SetCharging pauses or resumes new charges.
func (s *Service) SetCharging(ctx context.Context, paused bool, actor, reason string) (time.Time, error) {
	now := s.Now()
	return now, s.Store.SetCharging(ctx, paused, actor, reason, now)
}
