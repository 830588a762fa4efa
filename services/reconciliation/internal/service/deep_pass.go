package service

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/run"
	"makegood.example/services/reconciliation/internal/store"
)

const (
	// deepPages is how many pages of a deep pass one run reads at the most, and
	// pagesAtLeast however long it takes, for each slice that it reads at once.
	deepPages = 100
	// slicesEach is how many slices a pass has for each that is read at once: business
	// grows, so that the newest ones hold most.
	slicesEach = 4
)

// deepPass reads a part of everything that Stripe has: daily, and at once when
// records of ours were lost. It reads several slices of time at once, because one
// list can only be read page after page, and Stripe takes its time for each. A pass
// that was stopped goes on where it was.
func (s *Service) deepPass(ctx context.Context, w *sweep) error {
	if w.dry {
		return nil
	}
	w.passSince = s.now()
	defer func() { w.inPass = false }()
	for ctx.Err() == nil {
		over, err := s.readPass(ctx, w)
		if err != nil || !over {
			return err
		}
		w.passOver = true // another may be due: the first is followed by the rest of the history
	}
	return context.Cause(ctx)
}

// readPass reads a part of the pass that is due, and says whether it is over.
func (s *Service) readPass(ctx context.Context, w *sweep) (over bool, err error) {
	pass, err := s.currentPass(ctx, w)
	var slices []store.Slice
	if err == nil && pass != nil {
		slices, err = s.Store.Slices(ctx, *pass, slicesEach*s.Settings.DeepPassReaders)
	}
	if err != nil {
		fault(ctx, w.progress, "the deep pass cannot begin", err)
		return false, fmt.Errorf("begin deep pass: %w", err)
	}
	if pass == nil {
		return false, nil
	}
	w.inPass = true // what it finds lost is what it is for
	var ended atomic.Bool
	var pages atomic.Int64
	readers := int64(s.Settings.DeepPassReaders)
	enough := func() bool {
		n := pages.Add(1) - 1
		return n >= deepPages*readers || n >= pagesAtLeast*readers && s.now().Sub(w.passSince) >= s.readsAtMost()
	}
	left := make(chan store.Slice, len(slices))
	for _, slice := range slices {
		left <- slice
	}
	close(left)
	var reading errgroup.Group // one that fails stops no other
	for range readers {
		reading.Go(func() error {
			return guarded(func() error { return s.readSlices(ctx, w, *pass, left, enough, &ended) })
		})
	}
	if err := reading.Wait(); err != nil {
		fault(ctx, w.progress, "the deep pass stopped at a page; the next run goes on there", err)
		return false, fmt.Errorf("deep pass: %w", err)
	}
	return ended.Load(), context.Cause(ctx)
}

// readSlices is one of those that read a pass, until together they have read enough.
func (s *Service) readSlices(ctx context.Context, w *sweep, pass store.Pass, left <-chan store.Slice, enough func() bool, ended *atomic.Bool) error {
	for slice := range left {
		for next := &slice; next != nil; {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if enough() {
				return nil // the next run goes on
			}
			var err error
			if next, err = s.deepPage(ctx, w, pass, *next, ended); err != nil {
				return err
			}
		}
	}
	return nil
}

// deepPage reads one page of a slice and answers with the slice to go on with; nil
// when it is over, or another reads it.
func (s *Service) deepPage(ctx context.Context, w *sweep, pass store.Pass, slice store.Slice, ended *atomic.Bool) (*store.Slice, error) {
	next, err := s.chargePage(ctx, w, clients.Window{From: slice.From, Before: slice.Before, Token: slice.PageToken})
	if apperr.CodeOf(err) == codes.InvalidArgument && slice.PageToken != "" {
		// The charge that the place is named after is no more: from the beginning, then.
		next, err = s.chargePage(ctx, w, clients.Window{From: slice.From, Before: slice.Before})
	}
	if err != nil {
		return nil, err
	}
	mine, passOver, err := s.Store.MoveSlice(ctx, slice, next, s.now())
	if err != nil || !mine {
		return nil, err
	}
	if passOver {
		ended.Store(true)
		w.progress.Add(run.Counts{}, fmt.Sprintf("the deep pass (%s) has read every charge since %s", pass.Why, pass.From.Format(time.DateOnly)))
	}
	if next == "" {
		return nil, nil
	}
	slice.PageToken = next
	return &slice, nil
}

// wholeHistory is why the pass is read that covers what the others never do. Reports
// of all time need it, and nothing older than their window changes any more, but for
// disputes and refunds, which have lists of their own: it is read once.
const wholeHistory = "the history before the first"

// historyPass begins the reading of everything before the first pass, once.
func (s *Service) historyPass(ctx context.Context, w *sweep, first *store.Pass) (*store.Pass, error) {
	if read, err := s.Store.HasReadHistory(ctx); err != nil || read || !store.Beginning.Before(first.From) {
		return nil, err
	}
	return s.Store.StartPass(ctx, wholeHistory, store.Beginning, first.From, w.began)
}

// currentPass answers with the pass to read on, and begins one when it is due.
func (s *Service) currentPass(ctx context.Context, w *sweep) (*store.Pass, error) {
	why := w.lostBecause
	pass, err := s.Store.UnfinishedPass(ctx)
	if err != nil {
		return nil, err
	}
	if pass != nil && (why == "" || strings.HasPrefix(pass.Why, recordsLost) && !w.wentBack) {
		w.lostBecause = ""
		return pass, nil
	}
	if why == "" {
		last, err := s.Store.FinishedPass(ctx)
		switch {
		case err != nil:
			return nil, err
		case last == nil:
			why = "the first"
		// One for each run: what a run begins counts as begun when the run was, so that in
		// one that is older than a day (its machine slept) no pass would be young enough.
		case !w.passOver && s.now().Sub(last.StartedAt) >= s.Settings.DeepPassEvery:
			why = "daily"
		default:
			return s.historyPass(ctx, w, last)
		}
	}
	now := s.now()
	pass, err = s.Store.StartPass(ctx, why, now.Add(-s.Settings.DeepPassWindow).Truncate(time.Second), now.Truncate(time.Second).Add(time.Second), w.began)
	if err != nil {
		return nil, err
	}
	w.lostBecause = ""
	return pass, nil
}
