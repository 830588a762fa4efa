package service

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/run"

	"google.golang.org/grpc/codes"
)

// watchEvery is how often somebody who watches a run hears of it.
const watchEvery = time.Second

// live is a run at work in this process.
type live struct {
	id        int64
	startedAt time.Time
	dry       bool
	progress  *run.Progress
	ended     chan struct{}
	// Set when ended is closed.
	recorded run.Run
	err      error
}

// Runs are the runs at work in this process. They belong to the service and not
// to who started them: a deadline or a closed browser must not cut one short.
type Runs struct {
	ctx  context.Context
	stop context.CancelFunc
	mu   sync.Mutex
	work sync.WaitGroup
	ids  map[int64]bool // of those at work
}

// NewRuns makes the place for runs.
func NewRuns() *Runs {
	r := &Runs{ids: map[int64]bool{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// Serve waits until ctx ends, tells the runs to stop, and waits for them. Its
// error is always nil; having one lets it run beside a server.
func (r *Runs) Serve(ctx context.Context) error {
	<-ctx.Done()
	r.mu.Lock()
	r.stop()
	r.mu.Unlock()
	r.work.Wait()
	return nil
}

var errStopping = apperr.New(codes.Unavailable, "SERVICE_STOPPING", "the service is stopping")

// begin records a run and has it work.
func (s *Service) begin(ctx context.Context, dry bool) (*live, error) {
	s.Runs.mu.Lock()
	defer s.Runs.mu.Unlock()
	if s.Runs.ctx.Err() != nil {
		return nil, errStopping
	}
	l := &live{startedAt: s.now(), dry: dry, progress: &run.Progress{}, ended: make(chan struct{})}
	var err error
	if l.id, err = s.Store.StartRun(ctx, s.Instance, slices.Collect(maps.Keys(s.Runs.ids)), l.startedAt, dry); err != nil {
		return nil, err
	}
	s.Runs.ids[l.id] = true
	s.Runs.work.Go(func() {
		defer close(l.ended)
		l.recorded, l.err = s.work(s.Runs.ctx, l.id, dry, l.progress)
		s.Runs.mu.Lock()
		delete(s.Runs.ids, l.id)
		s.Runs.mu.Unlock()
	})
	return l, nil
}

// aboutRuns is the subject of a wish for a run, which has no number yet.
const aboutRuns = "runs"

// beginFor is begin for a person: who begins one is in the audit before it begins. One
// that changes nothing is not.
func (s *Service) beginFor(ctx context.Context, a desk.Act) (begun *live, err error) {
	if a.DryRun {
		return s.begin(ctx, true)
	}
	_, err = s.act(ctx, a, deed{
		subjects: []string{aboutRuns},
		do: func(ctx context.Context) (did, error) {
			var err error
			if begun, err = s.begin(ctx, false); err != nil {
				return did{}, err
			}
			return did{steps: []desk.Step{{What: "run begun", Outcome: desk.Done}}, subjects: []string{fmt.Sprintf("run/%d", begun.id)}}, nil
		},
	})
	return begun, err
}

// WatchRun runs one sweep for a person and tells of it as it grows, and at last as it
// was recorded. When tell fails, because nobody listens any more, the run goes on.
// run.ErrInProgress while another works.
func (s *Service) WatchRun(ctx context.Context, a desk.Act, tell func(run.Run) error) error {
	l, err := s.beginFor(ctx, a)
	if err != nil {
		return err
	}
	beat := time.NewTicker(watchEvery)
	defer beat.Stop()
	for {
		counts, lines := l.progress.Seen()
		if err := tell(run.Run{ID: l.id, StartedAt: l.startedAt, Status: run.Running, DryRun: a.DryRun, Counts: counts, Details: lines}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.ended:
			if l.err != nil {
				return l.err
			}
			return tell(l.recorded)
		case <-beat.C:
		}
	}
}
