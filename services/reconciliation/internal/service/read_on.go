package service

import (
	"context"
	"fmt"
	"time"

	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/run"
)

// list is something that grows with time and is read on from a durable cursor.
type list struct {
	// name is the cursor's; what says in words what is read.
	name, what string
	// behind is how far back the first reading goes.
	behind time.Duration
	// lag is how old something must be before it is read; mostly 0.
	lag time.Duration
	// page reads one page and works it; the cursor moves past it only when it
	// returned no error.
	page func(ctx context.Context, w *sweep, at clients.Window) (next string, err error)
	// held says, when set, how much of what was read could not be done, so that the
	// cursor must not move over it although reading goes on.
	held func() int
}

const (
	// sliceMin is the least that is read between two moves of a cursor. After an
	// outage of days, slices are an eighth of what is left.
	sliceMin = 6 * time.Hour
	// pagesPerRun bounds what one run reads of one list, between slices: after a
	// long outage the other lists must have their turn.
	pagesPerRun = 500
)

// readOn reads a list from its cursor, less the overlap, up to now. The cursor
// moves over what was read without a gap, and nothing else: a page that fails
// ends the reading, and the next run reads it again.
func (s *Service) readOn(ctx context.Context, w *sweep, l list) error {
	// Stripe counts whole seconds: the present one is read too, and again by the overlap.
	now := s.now().Add(-l.lag)
	end := now.Truncate(time.Second).Add(time.Second)
	readBefore, known, err := s.Store.Cursor(ctx, l.name)
	if err != nil {
		fault(ctx, w.progress, l.what+": how far they were read is not known", err)
		return fmt.Errorf("cursor %s: %w", l.name, err)
	}
	from := readBefore.Add(-s.Settings.Overlap)
	if !known {
		from = now.Add(-l.behind).Truncate(time.Second)
	}
	for pages := 0; from.Before(end); {
		slice := max(sliceMin, end.Sub(from)/8)
		before := from.Add(slice)
		if before.After(end) {
			before = end
		}
		n, err := s.readWindow(ctx, w, l, from, before)
		if err != nil {
			fault(ctx, w.progress, fmt.Sprintf("%s from %s on cannot all be read; the next run reads them again", l.what, from.Format(time.RFC3339)), err)
			return fmt.Errorf("read %s: %w", l.name, err)
		}
		// Never past the present: what is made in this very second may come yet.
		read := before
		if read.After(now) {
			read = now
		}
		held := l.held != nil && l.held() > 0
		if !w.dry && !held {
			if err := s.Store.MoveCursor(ctx, l.name, read, s.now()); err != nil {
				fault(ctx, w.progress, l.what+": how far they were read cannot be kept", err)
				return fmt.Errorf("move cursor %s: %w", l.name, err)
			}
		}
		from = before
		if pages += n; pages >= pagesPerRun && from.Before(end) {
			w.progress.Add(run.Counts{}, fmt.Sprintf("%s were read up to %s; the next run goes on", l.what, from.Format(time.RFC3339)))
			break
		}
	}
	if l.held != nil && l.held() > 0 {
		return fmt.Errorf("%d of %s could not be done", l.held(), l.name)
	}
	return nil
}

// readWindow reads all pages of a window.
func (s *Service) readWindow(ctx context.Context, w *sweep, l list, from, before time.Time) (pages int, err error) {
	at := clients.Window{From: from, Before: before}
	for {
		if ctx.Err() != nil {
			return pages, context.Cause(ctx)
		}
		next, err := l.page(ctx, w, at)
		if err != nil {
			return pages, err
		}
		pages++
		if at.Token = next; next == "" {
			return pages, nil
		}
	}
}
