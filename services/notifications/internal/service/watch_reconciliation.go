package service

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/notifications/internal/watch"
)

// stoppedAfter is how many periods without a run that succeeded mean that the
// safety net is gone.
const stoppedAfter = 3

// lookEvery bounds the pause between two looks, for long periods.
const lookEvery = time.Minute

// ClaimWatch says whether a look at reconciliation is due.
func (s *Service) ClaimWatch(ctx context.Context, _ int) ([]bool, error) {
	now := s.Now()
	return s.Store.ClaimWatch(ctx, now, now.Add(min(s.ReconcileEvery, lookEvery)))
}

// WatchReconciliation tells the team, once, when no run has succeeded for three
// periods, and once when one has again. That Reconciliation cannot be asked is no
// news of a run: after three periods it has stopped.
func (s *Service) WatchReconciliation(ctx context.Context, _ bool) error {
	worked, askErr := s.Runs.LastSuccess(ctx)
	limit := stoppedAfter * s.ReconcileEvery
	return s.Store.InTx(ctx, func(tx pgx.Tx) error {
		known, err := s.Store.LockWatch(ctx, tx)
		if err != nil {
			return err
		}
		seen, news := known.Look(s.Now().UTC(), worked, limit)
		if err := s.Store.PutWatch(ctx, tx, seen); err != nil {
			return err
		}
		switch news {
		case watch.Stopped:
			return s.alert(ctx, tx, s.hasStopped(*seen.StoppedSince, askErr))
		case watch.Works:
			return s.alert(ctx, tx, worksAgain(*known.StoppedSince, *seen.WorkedAt))
		default:
			return nil
		}
	})
}

func (s *Service) hasStopped(since time.Time, askErr error) message.TeamAlert {
	found := "Reconciliation answers, but its runs fail or do not end: their details say why."
	if askErr != nil {
		found = "Reconciliation does not answer: " + askErr.Error() + "."
	}
	return message.TeamAlert{
		DedupeKey: fmt.Sprintf("reconciliation/stopped/%d", since.Unix()),
		Title:     "Reconciliation has stopped",
		Lines: []string{
			fmt.Sprintf("No reconciliation run has succeeded since %s, and there should be one every %s.", spoken(since), s.ReconcileEvery),
			found,
			"Until it works again, a payment that request, rescue and webhook all miss is not found, and no case closes by itself.",
			"Check that the process of Reconciliation runs and what its log says; its runs are listed under /admin/v1/reconciliation/runs.",
		},
	}
}

func worksAgain(stopped, worked time.Time) message.TeamAlert {
	return message.TeamAlert{
		DedupeKey: fmt.Sprintf("reconciliation/works/%d", stopped.Unix()),
		Title:     "Reconciliation works again",
		Lines: []string{
			fmt.Sprintf("A reconciliation run succeeded at %s; before that, none had since %s.", spoken(worked), spoken(stopped)),
			"It goes on where it had stopped. There is nothing to do.",
		},
	}
}

func spoken(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }
