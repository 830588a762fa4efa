package service

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/run"
)

const (
	// parallel bounds the calls that one run has in flight.
	parallel = 8
	// pageSize is how many orders, cases or charges are read at once.
	pageSize = 100
	// recordTimeout bounds recording a run's end, which must happen also when
	// the service is told to stop.
	recordTimeout = 5 * time.Second
	recordAgain   = 200 * time.Millisecond
)

// sweep is one run at work.
type sweep struct {
	runID int64
	// began is when the run did. What this run has seen is not read twice, so a
	// deep pass that it starts counts as started then.
	began    time.Time
	dry      bool
	progress *run.Progress
	// lostBecause says what of our own records is gone; empty when nothing is.
	lostBecause string
	// wentBack: the history of a service is shorter than it was.
	wentBack bool
	// inPass: what is examined is examined by the deep pass.
	inPass bool
	// passSince is when this run began to read a deep pass; passOver: one was read to
	// its end.
	passSince time.Time
	passOver  bool
	// marks keep how far the others' histories go, when the run is through.
	marks []func(context.Context) error
}

// StartRun runs one sweep for a person and answers with it as it was recorded, also
// when it FAILED. When the caller leaves, the run goes on. run.ErrInProgress while
// another works.
func (s *Service) StartRun(ctx context.Context, a desk.Act) (run.Run, error) {
	l, err := s.beginFor(ctx, a)
	if err != nil {
		return run.Run{}, err
	}
	return l.end(ctx)
}

// end waits until the run was recorded, or nobody waits for it any more.
func (l *live) end(ctx context.Context) (run.Run, error) {
	select {
	case <-l.ended:
		return l.recorded, l.err
	case <-ctx.Done():
		return run.Run{}, ctx.Err()
	}
}

// steps are what a run does, in this order: customers without access come first,
// and what the others may have healed comes last. One that fails stops no other.
func (s *Service) steps() []func(context.Context, *sweep) error {
	return []func(context.Context, *sweep) error{
		func(ctx context.Context, w *sweep) error {
			if w.dry {
				return s.listStuckOrders(ctx, w.progress)
			}
			return s.advanceStuckOrders(ctx, w.progress)
		},
		s.noticeRestore, s.sweepCharges, s.readOpenAgain, s.followChanges, s.catchUpEvents, s.sendConfirmations, s.readBalance, s.deepPass, s.checkIntegrity,
		func(ctx context.Context, w *sweep) error {
			if w.dry {
				return nil
			}
			return s.resolveCases(ctx, w)
		},
	}
}

// errBug is a panic.
var errBug = errors.New("what it met brings out a bug, which the log describes")

// guarded does something and makes an error of a panic: one charge that brings out a bug
// must not end the process, and with it every run from now on.
func guarded(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v\n%s", errBug, r, debug.Stack())
		}
	}()
	return do()
}

func (s *Service) sweep(ctx context.Context, w *sweep) error {
	var failed []error
	for _, step := range s.steps() {
		if ctx.Err() != nil {
			break
		}
		if err := guarded(func() error { return step(ctx, w) }); err != nil {
			failed = append(failed, err)
			if errors.Is(err, errBug) {
				s.Log.ErrorContext(ctx, "a step of a run has ended in a bug", "run_id", w.runID, "error", err)
				fault(ctx, w.progress, "a step of this run was not done to its end", errBug)
			}
		}
	}
	if w.lostBecause != "" && !w.dry && ctx.Err() == nil {
		// Noticed after the deep pass had its turn: what was seen is mended by now, and
		// would not be noticed again. The next run reads the pass.
		_, err := s.currentPass(ctx, w)
		failed = append(failed, err)
	}
	// Forgotten only when a pass was begun about it, else the next run must notice again.
	if w.lostBecause == "" && ctx.Err() == nil {
		for _, keep := range w.marks {
			failed = append(failed, keep(ctx))
		}
	}
	return errors.Join(append(failed, context.Cause(ctx))...)
}

// work is a run from its record's beginning to its end.
func (s *Service) work(ctx context.Context, id int64, dry bool, p *run.Progress) (run.Run, error) {
	began := s.now()
	w := &sweep{runID: id, began: s.now(), dry: dry, progress: p}
	status := run.Succeeded
	err := s.recorded(ctx, id, p, func(ctx context.Context) error { return s.sweep(ctx, w) })
	if err != nil {
		status = run.Failed
		if ctx.Err() != nil {
			p.Note(run.Stopped)
		}
	}
	p.Close()

	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	counts, lines := p.Take()
	ended, err := s.recordEnd(end, id, status, counts, lines)
	if err != nil {
		return run.Run{}, fmt.Errorf("record the end of run %d: %w", id, err)
	}
	s.Log.InfoContext(ctx, "reconciliation run", "run_id", id, "status", status, "dry_run", dry, "duration_ms", s.now().Sub(began).Milliseconds(),
		"stuck_found", counts.StuckFound, "stuck_recovered", counts.StuckRecovered, "charges_checked", counts.ChargesChecked,
		"orphans_found", counts.OrphansFound, "orphans_recovered", counts.OrphansRecovered, "events_added", counts.EventsAdded,
		"confirmations_sent", counts.ConfirmationsSent, "errors", counts.Errors)
	return ended, nil
}

// recordEnd records a run's end, and tries again while it is not known to be recorded:
// as long as it is not, nobody else may begin.
func (s *Service) recordEnd(ctx context.Context, id int64, status run.Status, counts run.Counts, lines []string) (run.Run, error) {
	for {
		err := s.Store.FinishRun(ctx, id, s.now(), status, counts, lines)
		if err == nil || errors.Is(err, run.ErrTakenOver) {
			// An answer that was lost leaves a run that is over, as one taken over is.
			r, readErr := s.Store.Run(ctx, id)
			if err == nil || readErr != nil || r.CutShort() {
				return r, errors.Join(err, readErr)
			}
			return r, nil
		}
		select {
		case <-ctx.Done():
			return run.Run{}, err
		case <-time.After(recordAgain):
		}
	}
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
				s.Log.WarnContext(ctx, "the run's progress cannot be saved; trying again", "run_id", id, "error", err)
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
