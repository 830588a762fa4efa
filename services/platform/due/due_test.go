package due_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"makegood.example/services/platform/due"
)

var quiet = slog.New(slog.DiscardHandler)

// rows is a table of due rows, in memory: what a claim returns is gone.
type rows struct {
	mu     sync.Mutex
	left   int
	claims []int // the limit of each claim that found something
}

func (r *rows) claim(_ context.Context, limit int) ([]int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(limit, r.left)
	if n == 0 {
		return nil, nil
	}
	r.left -= n
	r.claims = append(r.claims, limit)
	return make([]int, n), nil
}

func TestWorkersAreBounded(t *testing.T) {
	const workers, n = 3, 20
	table := &rows{left: n}
	var now, most, done atomic.Int64
	gate := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = due.Work[int]{Name: "test", Claim: table.claim, Workers: workers, Every: time.Millisecond, Log: quiet,
			Handle: func(context.Context, int) error {
				for c := now.Add(1); ; {
					if m := most.Load(); c <= m || most.CompareAndSwap(m, c) {
						break
					}
				}
				<-gate
				now.Add(-1)
				if done.Add(1) == n {
					stop()
				}
				return nil
			}}.Run(ctx)
	}()
	for range n {
		gate <- struct{}{}
	}
	<-ended
	if most.Load() > workers {
		t.Errorf("%d at once, want at most %d", most.Load(), workers)
	}
	if done.Load() != n {
		t.Errorf("%d handled", done.Load())
	}
	for _, limit := range table.claims {
		if limit < 1 || limit > workers {
			t.Errorf("claimed %d, although only what can be begun should be", limit)
		}
	}
}

func TestWhatIsInHandIsWorkedToItsEndWhileDraining(t *testing.T) {
	table := &rows{left: 1}
	ctx, stop := context.WithCancel(t.Context())
	begun, finish := make(chan struct{}), make(chan struct{})
	var inner error
	var finished atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = due.Work[int]{Name: "test", Claim: table.claim, Log: quiet, Handle: func(ctx context.Context, _ int) error {
			close(begun)
			<-finish
			inner = ctx.Err()
			finished.Store(true)
			return nil
		}}.Run(ctx)
	}()
	<-begun
	stop()
	select {
	case <-ended:
		t.Fatal("returned with a row in hand")
	case <-time.After(20 * time.Millisecond):
	}
	close(finish)
	<-ended
	if !finished.Load() || inner != nil {
		t.Errorf("finished %t, its context: %v", finished.Load(), inner)
	}
}

func TestOneFailureStopsNothing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	claims, handled := 0, atomic.Int64{}
	_ = due.Work[int]{Name: "test", Every: time.Millisecond, Workers: 1, Log: quiet,
		Claim: func(context.Context, int) ([]int, error) {
			if claims++; claims%2 == 1 {
				return nil, errors.New("the database is away")
			}
			return []int{claims}, nil
		},
		Handle: func(_ context.Context, n int) error {
			switch handled.Add(1) {
			case 1:
				return errors.New("this row cannot be handled")
			case 2:
				panic("a bug that one row brings out")
			case 3:
				stop()
			}
			return nil
		}}.Run(ctx)
	if handled.Load() < 3 {
		t.Errorf("handled %d", handled.Load())
	}
}

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		first time.Duration
		n     int
		want  time.Duration
	}{
		{time.Second, 1, time.Second}, {time.Second, 2, 2 * time.Second}, {time.Second, 7, 64 * time.Second},
		{time.Second, 12, 2048 * time.Second}, {time.Second, 13, time.Hour}, {time.Second, 1000, time.Hour},
		{30 * time.Second, 8, time.Hour}, {time.Hour, 1, time.Hour}, {2 * time.Hour, 1, time.Hour}, {time.Second, 0, time.Second},
	} {
		if got := due.Backoff(c.first, c.n); got != c.want {
			t.Errorf("look %d from %s: %s, want %s", c.n, c.first, got, c.want)
		}
	}
}
