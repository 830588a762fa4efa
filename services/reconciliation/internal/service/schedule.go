package service

import (
	"context"
	"errors"

	"makegood.example/services/reconciliation/internal/run"
)

// ClaimSweeps takes at most limit sweeps that are due and moves their next look
// by a period, so that several instances share them.
func (s *Service) ClaimSweeps(ctx context.Context, limit int) ([]string, error) {
	return s.Store.ClaimSweeps(ctx, s.now(), s.Settings.Every, limit)
}

// RunScheduled is StartRun by the clock: a run that still works, by hand or
// because there is much to do, makes another one unnecessary.
func (s *Service) RunScheduled(ctx context.Context) error {
	l, err := s.begin(ctx, false)
	if errors.Is(err, run.ErrInProgress) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = l.end(ctx)
	return err
}
