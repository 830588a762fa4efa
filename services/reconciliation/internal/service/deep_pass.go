package service

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/run"
	"makegood.example/services/reconciliation/internal/store"
)

// deepPages is how many pages of a deep pass one run reads.
const deepPages = 100

// deepPass reads a slice of everything that Stripe has: daily, and at once when
// records of ours were lost. A pass that was stopped goes on where it was.
func (s *Service) deepPass(ctx context.Context, w *sweep) error {
	if w.dry {
		return nil
	}
	pass, err := s.currentPass(ctx, w)
	if err != nil {
		fault(ctx, w.progress, "the deep pass cannot begin", err)
		return fmt.Errorf("begin deep pass: %w", err)
	}
	w.inPass = true // what it finds lost is what it is for
	for pages := 0; pass != nil && pages < deepPages; pages++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if pass, err = s.deepPage(ctx, w, *pass); err != nil {
			fault(ctx, w.progress, "the deep pass stopped at a page; the next run goes on there", err)
			return fmt.Errorf("deep pass: %w", err)
		}
	}
	return nil
}

// deepPage reads one page of a pass and answers with the pass to go on with; nil
// when it is over, or another reads it.
func (s *Service) deepPage(ctx context.Context, w *sweep, pass store.Pass) (*store.Pass, error) {
	next, err := s.chargePage(ctx, w, clients.Window{From: pass.From, Before: pass.Before, Token: pass.PageToken})
	if apperr.CodeOf(err) == codes.InvalidArgument && pass.PageToken != "" {
		// The charge that the place is named after is no more: from the beginning, then.
		return s.Store.StartPass(ctx, pass.Why, pass.From, pass.Before, w.began)
	}
	if err != nil {
		return nil, err
	}
	mine, err := s.Store.MovePass(ctx, pass, next, s.now())
	switch {
	case err != nil:
		return nil, err
	case !mine:
		return nil, nil
	case next == "":
		w.progress.Add(run.Counts{}, fmt.Sprintf("the deep pass (%s) has read every charge since %s", pass.Why, pass.From.Format(time.DateOnly)))
		return nil, nil
	}
	pass.PageToken = next
	return &pass, nil
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
		case s.now().Sub(last.StartedAt) >= s.Settings.DeepPassEvery:
			why = "daily"
		default:
			return nil, nil
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
