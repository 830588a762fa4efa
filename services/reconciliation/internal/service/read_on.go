package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/run"
	"makegood.example/services/reconciliation/internal/store"
)

// list is something that grows with time and is read on from a durable cursor.
type list struct {
	// name is the cursor's; what says in words what is read.
	name, what string
	// behind is how far back the first reading goes.
	behind time.Duration
	// lag is how old something must be before it is read; mostly 0.
	lag time.Duration
	// page reads one page and works it; the cursor, and the place in a slice, moves past
	// it only when it returned no error. What it has done is durable then.
	page func(ctx context.Context, w *sweep, at clients.Window) (next string, err error)
	// held says, when it is set, how much of what was read could not be done, so that the
	// cursor must not move over it although reading goes on.
	held func() int
}

const (
	// sliceMin is the least that is read between two moves of a cursor. After an
	// outage of days, slices are an eighth of what is left.
	sliceMin = 6 * time.Hour
	// pagesPerRun bounds what one run reads of one list: after a long outage the other
	// lists must have their turn.
	pagesPerRun = 500
	// pagesAtLeast is read of one list however long it takes.
	pagesAtLeast = 10
	// readsAtLeast is how long a list may be read in one run however short the period.
	readsAtLeast = time.Minute
)

// readsAtMost is for how long one run goes on reading one list, or a deep pass. A run
// that takes several periods looks like one that has stopped.
func (s *Service) readsAtMost() time.Duration { return max(s.Settings.Every/2, readsAtLeast) }

// readOn reads a list from its cursor, less the overlap, up to now. The cursor
// moves over what was read without a gap, and nothing else. Of the slice in which a page
// fails, the next run reads that page and what follows. What is newer is read all the
// same, and counts as not read: a page that never can be must not keep all that is made
// from now on from being seen. Two that fail end the reading.
func (s *Service) readOn(ctx context.Context, w *sweep, l list) error {
	// Stripe counts whole seconds: the present one is read too, and again by the overlap.
	began := s.now()
	now := began.Add(-l.lag)
	end := now.Truncate(time.Second).Add(time.Second)
	from, begun, err := s.whereToReadOn(ctx, w, l, now)
	if err != nil {
		fault(ctx, w.progress, l.what+": how far they were read is not known", err)
		return fmt.Errorf("cursor %s: %w", l.name, err)
	}
	enough := func(pages int) bool {
		return pages >= pagesPerRun || pages >= pagesAtLeast && s.now().Sub(began) >= s.readsAtMost()
	}
	keep := l.keepsPlace(w)
	var failed []error
	for pages := 0; begun != nil || from.Before(end); {
		slice := store.ListSlice{From: from, Before: from.Add(max(sliceMin, end.Sub(from)/8))}
		if slice.Before.After(end) {
			slice.Before = end
		}
		// Never past the present: what is made in this very second may come yet.
		if slice.ReadBefore = slice.Before; slice.ReadBefore.After(now) {
			slice.ReadBefore = now
		}
		if from = slice.Before; begun != nil {
			// What was made since its reading began is not in it.
			slice, from, begun = *begun, begun.ReadBefore.Add(-s.Settings.Overlap), nil
		}
		var leave func(int) bool
		if keep || len(failed) > 0 {
			leave = func(n int) bool { return enough(pages + n) }
		}
		n, over, err := s.readSlice(ctx, w, l, slice, keep, leave)
		pages += n
		if err != nil {
			fault(ctx, w.progress, fmt.Sprintf("%s from %s on cannot all be read; the next run reads them again", l.what, slice.From.Format(time.RFC3339)), err)
			if failed = append(failed, fmt.Errorf("read %s: %w", l.name, err)); len(failed) > 1 || enough(pages) || ctx.Err() != nil {
				break
			}
			keep = false
			continue
		}
		held := l.held != nil && l.held() > 0 || len(failed) > 0
		if over && !w.dry && !held {
			if err := s.Store.MoveCursor(ctx, l.name, slice.ReadBefore, s.now()); err != nil {
				fault(ctx, w.progress, l.what+": how far they were read cannot be kept", err)
				return fmt.Errorf("move cursor %s: %w", l.name, err)
			}
		}
		if !over || enough(pages) && from.Before(end) {
			w.progress.Add(run.Counts{}, fmt.Sprintf("%s: %d pages from %s on were read; the next run goes on", l.what, pages, slice.From.Format(time.RFC3339)))
			break
		}
	}
	if l.held != nil && l.held() > 0 {
		failed = append(failed, fmt.Errorf("%d of %s could not be done", l.held(), l.name))
	}
	return errors.Join(failed...)
}

// whereToReadOn is from when on a list is to be read, and the slice of it that was begun
// and not read to its end; nil for none.
func (s *Service) whereToReadOn(ctx context.Context, w *sweep, l list, now time.Time) (from time.Time, begun *store.ListSlice, err error) {
	readBefore, known, err := s.Store.Cursor(ctx, l.name)
	if err != nil {
		return from, nil, err
	}
	from = readBefore.Add(-s.Settings.Overlap)
	if !known {
		from = now.Add(-l.behind).Truncate(time.Second)
		readBefore = from
	}
	if !l.keepsPlace(w) {
		return from, nil, nil
	}
	begun, err = s.Store.Reading(ctx, l.name)
	if err != nil || begun == nil {
		return from, nil, err
	}
	// It counts only while the cursor is where it was: it leaves no gap, and is not over.
	if begun.From.After(readBefore) || !begun.ReadBefore.After(readBefore) {
		begun = nil
	}
	return from, begun, nil
}

// keepsPlace says whether what was read of a slice is done with. It is not where
// something may have been held back.
func (l list) keepsPlace(w *sweep) bool { return l.name != "" && !w.dry && l.held == nil }

// readSlice reads the pages of a slice from its place on. keep has it keep the place after
// each that was worked. over is false when it was left, because enough was read; nil
// reads all.
func (s *Service) readSlice(ctx context.Context, w *sweep, l list, at store.ListSlice, keep bool, enough func(pages int) bool) (pages int, over bool, err error) {
	for {
		if ctx.Err() != nil {
			return pages, false, context.Cause(ctx)
		}
		next, err := l.page(ctx, w, clients.Window{From: at.From, Before: at.Before, Token: at.PageToken})
		if pages == 0 && at.PageToken != "" && apperr.CodeOf(err) == codes.InvalidArgument {
			at.PageToken = "" // what its place is named after is no more: from the beginning, then
			continue
		}
		if err != nil {
			return pages, false, err
		}
		pages++
		if at.PageToken = next; next == "" {
			return pages, true, nil
		}
		if keep {
			if err := s.Store.KeepReading(ctx, l.name, at, s.now()); err != nil {
				return pages, false, err
			}
		}
		if enough != nil && enough(pages) {
			return pages, false, nil
		}
	}
}

// readWindow reads all pages of a window.
func (s *Service) readWindow(ctx context.Context, w *sweep, l list, from, before time.Time) error {
	_, _, err := s.readSlice(ctx, w, l, store.ListSlice{From: from, Before: before}, false, nil)
	return err
}
