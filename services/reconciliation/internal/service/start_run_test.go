package service

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"makegood.example/services/reconciliation/internal/run"
)

// What brings out a bug in a step of a run ends neither the process nor the other steps.
func TestABugEndsNoProcess(t *testing.T) {
	s := &Service{Now: time.Now, Log: slog.New(slog.DiscardHandler)} // without anybody to ask, each step panics
	p := &run.Progress{}
	err := s.sweep(t.Context(), &sweep{progress: p})
	if !errors.Is(err, errBug) {
		t.Errorf("the run ends with %v", err)
	}
	if counts, lines := p.Take(); counts.Errors < len(s.steps())-1 || len(lines) == 0 {
		t.Errorf("%d errors: %q", counts.Errors, lines)
	}
}

func TestAPanicOfOneStopsNoOther(t *testing.T) {
	var done atomic.Int64
	err := guarded(func() error {
		each([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, func(n int) {
			if n == 3 {
				panic(context.Canceled)
			}
			done.Add(1)
		})
		return nil
	})
	if !errors.Is(err, errBug) || done.Load() != 9 {
		t.Errorf("%d were done, and then %v", done.Load(), err)
	}
}
