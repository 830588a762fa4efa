package service

import (
	"context"
	"time"

	"makegood.example/services/orders/internal/store"
)

// SetCharging pauses or resumes new charges.
func (s *Service) SetCharging(ctx context.Context, paused bool, actor, reason string) (time.Time, error) {
	now := s.Now()
	return now, s.Store.SetCharging(ctx, paused, actor, reason, now)
}

// Charging is how the kill switch was turned last; zero when nobody ever did.
func (s *Service) Charging(ctx context.Context) (store.Switch, error) {
	return s.Store.Charging(ctx)
}
