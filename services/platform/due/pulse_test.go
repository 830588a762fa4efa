package due_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"makegood.example/services/platform/due"
)

// beaten starts a Work under a pulse and ends it with the test.
func beaten(t *testing.T, p *due.Pulse, w due.Work[int]) {
	t.Helper()
	ctx, stop := context.WithCancel(due.WithPulse(t.Context(), p))
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	for p.Works() == 0 {
		runtime.Gosched()
	}
}

func TestABeatReturnsWhenEverythingDueIsHandled(t *testing.T) {
	table := &rows{left: 20}
	var handled atomic.Int64
	var p due.Pulse
	beaten(t, &p, due.Work[int]{Name: "test", Claim: table.claim, Workers: 3, Log: quiet,
		Handle: func(context.Context, int) error { handled.Add(1); return errors.New("no matter") }})
	for _, want := range []int{20, 0} {
		if n, err := p.Beat(); n != want || err != nil {
			t.Errorf("a beat handled %d rows (%v), want %d", n, err, want)
		}
	}
	if handled.Load() != 20 {
		t.Errorf("%d rows were handled", handled.Load())
	}
}

func TestABeatTellsWhatNeverRests(t *testing.T) {
	var p due.Pulse
	beaten(t, &p, due.Work[int]{Name: "restless rows", Log: quiet,
		Claim:  func(context.Context, int) ([]int, error) { return []int{1}, nil },
		Handle: func(context.Context, int) error { return nil }})
	if _, err := p.Beat(); err == nil || !strings.Contains(err.Error(), "restless rows never rest") {
		t.Errorf("the beat said %v", err)
	}
}

func TestABeatWaitsForNobodyWhoHasGone(t *testing.T) {
	var p due.Pulse
	t.Run("while it works", func(t *testing.T) {
		beaten(t, &p, due.Work[int]{Name: "test", Claim: (&rows{}).claim, Log: quiet, Handle: func(context.Context, int) error { return nil }})
	})
	if n, err := p.Beat(); n != 0 || err != nil || p.Works() != 0 {
		t.Errorf("a beat without works: %d rows, %v", n, err)
	}
}
