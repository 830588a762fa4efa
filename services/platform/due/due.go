// Package due works rows that carry their own time of the next look. Claiming a
// row pushes that time forward, so a worker that is killed loses nothing but
// the delay, and any number of workers on any number of machines share the work.
package due

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"makegood.example/services/platform/tracing"
)

// Work is one kind of due row.
type Work[T any] struct {
	// Name appears in the log.
	Name string
	// Claim takes at most limit due rows for this worker, in one statement with
	// FOR UPDATE SKIP LOCKED that also moves their next look forward.
	Claim func(ctx context.Context, limit int) ([]T, error)
	// Handle works one row. Its error is logged; the row stays due.
	Handle func(ctx context.Context, row T) error
	// Every is the pause between claims that found nothing; 0 is 500 ms.
	Every time.Duration
	// Workers bounds how many rows are handled at once; 0 is 8.
	Workers int
	Log     *slog.Logger
}

// Run works until ctx ends, then waits for the rows in hand. Its error is
// always nil; having one lets it run beside a server.
func (w Work[T]) Run(ctx context.Context) error {
	if w.Every == 0 {
		w.Every = 500 * time.Millisecond
	}
	if w.Workers == 0 {
		w.Workers = 8
	}
	if p := pulseOf(ctx); p != nil {
		w.runPulsed(ctx, p)
		return nil
	}
	var inHand sync.WaitGroup
	defer inHand.Wait()
	slots := make(chan struct{}, w.Workers)
	for ctx.Err() == nil {
		select { // claim only what can be begun now
		case <-ctx.Done():
			return nil
		case slots <- struct{}{}:
			<-slots
		}
		rows, err := w.Claim(ctx, w.Workers-len(slots))
		if err != nil && ctx.Err() == nil {
			w.Log.Warn("due work cannot be claimed; trying again", "work", w.Name, "error", err)
		}
		for _, row := range rows {
			slots <- struct{}{}
			inHand.Go(func() {
				defer func() { <-slots }()
				w.handleLogged(ctx, row)
			})
		}
		if len(rows) == 0 {
			select {
			case <-ctx.Done():
			case <-time.After(w.Every):
			}
		}
	}
	return nil
}

// handleLogged works a claimed row to its end, even while draining.
func (w Work[T]) handleLogged(ctx context.Context, row T) {
	// A trace of its own: minutes, or a crash, lie between it and what made it due. The
	// row links to that.
	ctx, span := tracing.Begin(context.WithoutCancel(ctx), w.Name, trace.SpanKindConsumer)
	err := w.handle(ctx, row)
	if err != nil {
		w.Log.WarnContext(ctx, "due work failed; it stays due", "work", w.Name, "error", err)
	}
	tracing.End(span, err)
}

// handle turns a panic into an error: one row that brings out a bug must not
// end the process, and with it the looks at all the others, again and again.
func (w Work[T]) handle(ctx context.Context, row T) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return w.Handle(ctx, row)
}

// Backoff is how long to wait before look number n (from 1): first, doubled
// each time, at most an hour.
func Backoff(first time.Duration, n int) time.Duration {
	d := first
	for range n - 1 {
		if d *= 2; d >= time.Hour {
			return time.Hour
		}
	}
	return min(d, time.Hour)
}
