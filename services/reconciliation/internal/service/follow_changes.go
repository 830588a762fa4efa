package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/store"
)

// changesBehind is how far back refunds are read at first; older ones show on their
// charges, which the deep pass reads.
const changesBehind = 30 * 24 * time.Hour

// followChanges has Payments follow the refunds and disputes made since their
// cursors, and gives the charges that they are about their disposition again.
func (s *Service) followChanges(ctx context.Context, w *sweep) error {
	if w.dry {
		return nil // reading them records them
	}
	return errors.Join(
		s.readOn(ctx, w, list{name: "refunds", what: "refunds", behind: changesBehind, page: s.changePage(clients.Refunds)}),
		// No charge says how much of it was disputed: of those, all are read once.
		s.readOn(ctx, w, list{name: allDisputes, what: "disputes", behind: s.now().Sub(store.Beginning), page: s.changePage(clients.Disputes)}),
		s.followOldDisputes(ctx, w),
	)
}

// allDisputes is the cursor over disputes, from the first of all.
const allDisputes = "all-disputes"

func (s *Service) changePage(kind clients.Change) func(context.Context, *sweep, clients.Window) (string, error) {
	return func(ctx context.Context, w *sweep, at clients.Window) (string, error) {
		page, err := s.Payments.FollowChanges(ctx, kind, at)
		if err != nil {
			return "", err
		}
		for _, id := range page.Failed {
			fault(ctx, w.progress, fmt.Sprintf("charge %s", id), errors.New("a change of it cannot be followed now; it is read again"))
		}
		lost, err := s.saveDisputes(ctx, page.Disputes)
		if err != nil {
			return "", err
		}
		// Those that failed are examined, too: one whose order does not know what
		// Stripe says is told, or stays open and is read again in each run. So one bad
		// charge does not keep the cursor where it is for ever.
		ids := slices.Concat(page.Told, page.Failed, lost)
		slices.Sort(ids)
		for part := range slices.Chunk(slices.Compact(ids), pageSize) {
			if err := s.examineByID(ctx, w, part); err != nil {
				return "", err
			}
		}
		return page.Next, s.askAboutDisputes(ctx, w, page.Disputes)
	}
}
