package service

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"makegood.example/services/platform/tracing"
	"makegood.example/services/reconciliation/internal/run"
)

// advanceStuckOrders has Orders advance every order that made no progress for
// a while. One that cannot be advanced never stops the others; only a page that
// cannot be listed ends the step, with an error.
func (s *Service) advanceStuckOrders(ctx context.Context, p *run.Progress) error {
	return s.eachStuckOrder(ctx, p, func(o run.StuckOrder) { s.advanceStuckOrder(ctx, p, o) })
}

// listStuckOrders only says what would be advanced.
func (s *Service) listStuckOrders(ctx context.Context, p *run.Progress) error {
	return s.eachStuckOrder(ctx, p, func(o run.StuckOrder) {
		if !o.Waits {
			p.Add(run.Counts{StuckFound: 1}, fmt.Sprintf("order %s is stuck %s since %s; it would be advanced", o.ID, o.State, o.Since.Format(time.RFC3339)))
		}
	})
}

func (s *Service) eachStuckOrder(ctx context.Context, p *run.Progress, do func(run.StuckOrder)) error {
	since := s.now().Add(-s.Settings.StuckAfter)
	for token := ""; ; {
		orders, next, err := s.Orders.ListStuck(ctx, since, pageSize, token)
		if err != nil {
			fault(ctx, p, "stuck orders cannot be listed", err)
			return fmt.Errorf("list stuck orders: %w", err)
		}
		each(orders, func(o run.StuckOrder) {
			if ctx.Err() == nil {
				do(o)
			}
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if token = next; token == "" {
			return nil
		}
	}
}

func (s *Service) advanceStuckOrder(ctx context.Context, p *run.Progress, o run.StuckOrder) {
	what := fmt.Sprintf("order %s was stuck %s since %s", o.ID, o.State, o.Since.Format(time.RFC3339))
	if !o.Waits {
		p.Add(run.Counts{StuckFound: 1}, "")
	}
	ctx, span := tracing.Begin(ctx, "stuck order", trace.SpanKindInternal)
	state, err := s.Orders.Advance(ctx, o.ID)
	tracing.End(span, err)
	switch {
	case err != nil:
		fault(ctx, p, what+"; it cannot be advanced", err)
	case state == o.State && o.Waits:
		// It waits indeed.
	case state == o.State:
		p.Add(run.Counts{}, what+"; it still is")
	default:
		found := run.Counts{}
		if o.Waits { // only what was heard last; it was stuck
			found.StuckFound = 1
		}
		if state == "COMPLETE" || state == "RECOVERED" {
			found.StuckRecovered = 1
		}
		p.Add(found, fmt.Sprintf("%s; it is %s now", what, state))
	}
}

// each does do for every item, a bounded number at once, and waits for all. A panic of
// one stops no other, and is one of the caller's then.
func each[T any](items []T, do func(T)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	bugs := make(chan error, len(items))
	for _, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := guarded(func() error { do(item); return nil }); err != nil {
				bugs <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-bugs:
		panic(err)
	default:
	}
}
