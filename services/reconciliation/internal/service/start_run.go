package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/run"
)

const (
	// parallel bounds the calls that one run has in flight.
	parallel = 8
	// pageSize is how many orders or cases are read at once.
	pageSize = 100
	// recordTimeout bounds recording a run's end, which must happen also when
	// the caller has gone.
	recordTimeout = 5 * time.Second
)

// StartRun runs one sweep and answers with it as it was recorded, also when it
// FAILED. run.ErrInProgress while another works.
func (s *Service) StartRun(ctx context.Context) (run.Run, error) {
	id, err := s.Store.StartRun(ctx, s.now())
	if err != nil {
		return run.Run{}, err
	}
	p := &run.Progress{}
	status := run.Succeeded
	err = s.recorded(ctx, id, p, func(ctx context.Context) error {
		return errors.Join(s.advanceStuckOrders(ctx, p), s.resolveStuckOrderCases(ctx, p))
	})
	if err != nil {
		status = run.Failed
		if ctx.Err() != nil {
			p.Add(run.Counts{}, "stopped before its end; the next run goes on")
		}
	}
	p.Close()

	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	counts, lines := p.Take()
	if err := s.Store.FinishRun(end, id, s.now(), status, counts, lines); err != nil {
		return run.Run{}, fmt.Errorf("record the end of run %d: %w", id, err)
	}
	s.Log.Info("reconciliation run", "run_id", id, "status", status,
		"stuck_found", counts.StuckFound, "stuck_recovered", counts.StuckRecovered, "errors", counts.Errors)
	return s.Store.Run(end, id)
}

// recorded does work while saving its progress and renewing the run's lease.
// Work is stopped when the run has been taken over by another.
func (s *Service) recorded(ctx context.Context, id int64, p *run.Progress, work func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	var g errgroup.Group
	g.Go(func() error {
		beat := time.NewTicker(run.Heartbeat)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-beat.C:
			}
			switch err := s.saveProgress(ctx, id, p); {
			case errors.Is(err, run.ErrTakenOver):
				stop(err)
				return err
			case err != nil:
				// The lease has time for several more tries.
				s.Log.Warn("the run's progress cannot be saved; trying again", "run_id", id, "error", err)
			}
		}
	})
	err := work(ctx)
	stop(nil)
	return errors.Join(err, g.Wait())
}

func (s *Service) saveProgress(ctx context.Context, id int64, p *run.Progress) error {
	// Not cut off when the work ends: it would not be known what was saved.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), run.Heartbeat)
	defer cancel()
	counts, lines := p.Take()
	err := s.Store.SaveProgress(ctx, id, s.now(), counts, lines)
	if err != nil {
		p.PutBack(lines)
	}
	return err
}

// fault notes that something could not be looked at, or not be mended: unless
// the run was stopped, which is nobody's fault.
func fault(ctx context.Context, p *run.Progress, what string, err error) {
	if ctx.Err() != nil {
		return
	}
	reason := err.Error()
	if e := apperr.Of(err); e != nil && e.Reason == "" {
		reason = fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	p.Add(run.Counts{Errors: 1}, what+": "+reason)
}
