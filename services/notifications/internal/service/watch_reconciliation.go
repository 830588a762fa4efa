package service

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/clients"
	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/notifications/internal/watch"
)

// stoppedAfter is how many periods without a run that came to its end mean that the
// safety net is gone, and without one that succeeded, that it has holes.
const stoppedAfter = 3

// lookEvery bounds the pause between two looks, for long periods.
const lookEvery = time.Minute

// ClaimWatch says whether a look at reconciliation is due.
func (s *Service) ClaimWatch(ctx context.Context, _ int) ([]bool, error) {
	now := s.Now()
	return s.Store.ClaimWatch(ctx, now, now.Add(min(s.ReconcileEvery, lookEvery)))
}

// WatchReconciliation tells the team, once each, when no run has come to its end for
// three periods, when runs end and none has succeeded for as long, and when either is
// over. That Reconciliation cannot be asked is no news of a run: after three periods
// it has stopped.
func (s *Service) WatchReconciliation(ctx context.Context, _ bool) error {
	last, askErr := s.Runs.Last(ctx)
	limit := stoppedAfter * s.ReconcileEvery
	return s.Store.InTx(ctx, func(tx pgx.Tx) error {
		ends, succeeds, err := s.Store.LockWatch(ctx, tx)
		if err != nil {
			return err
		}
		stoppedSince, failingSince, now := ends.StoppedSince, succeeds.StoppedSince, s.Now().UTC()
		ends, endNews := ends.Look(now, last.EndedAt, limit)
		successNews := watch.Nothing
		if ends.StoppedSince == nil { // while nothing runs, nothing can succeed
			succeeds, successNews = succeeds.Look(now, last.SucceededAt, limit)
		}
		if err := s.Store.PutWatch(ctx, tx, ends, succeeds); err != nil {
			return err
		}
		var alerts []message.TeamAlert
		switch endNews {
		case watch.Stopped:
			alerts = append(alerts, s.hasStopped(*ends.StoppedSince, last, askErr))
		case watch.Works:
			alerts = append(alerts, runsAgain(*stoppedSince, *ends.WorkedAt, last))
		}
		switch successNews {
		case watch.Stopped:
			alerts = append(alerts, s.doesNotSucceed(*succeeds.StoppedSince, last))
		case watch.Works:
			alerts = append(alerts, succeedsAgain(*failingSince, *succeeds.WorkedAt))
		}
		for _, a := range alerts {
			if err := s.alert(ctx, tx, a); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) hasStopped(since time.Time, last clients.LastRuns, askErr error) message.TeamAlert {
	found := "Reconciliation answers, but none of its runs has ended since: they are not begun, or cut short."
	switch {
	case askErr != nil:
		found = "Reconciliation does not answer: " + askErr.Error() + "."
	case last.WorksSince != nil:
		found = fmt.Sprintf("Reconciliation answers. A run has been at work since %s and has not ended.", spoken(*last.WorksSince))
	}
	return message.TeamAlert{
		DedupeKey: fmt.Sprintf("reconciliation/stopped/%d", since.Unix()),
		Title:     "Reconciliation has stopped",
		Lines: []string{
			fmt.Sprintf("No reconciliation run has come to its end since %s, and there should be one every %s.", spoken(since), s.ReconcileEvery),
			found,
			"Until it works again, a payment that request, rescue and webhook all miss is not found, and no case closes by itself.",
			"Check that the process of Reconciliation runs and what its log says; its runs are listed under /admin/v1/reconciliation/runs.",
		},
	}
}

// quoted bounds how much of a failed run is told.
const quoted = 3

func (s *Service) doesNotSucceed(since time.Time, last clients.LastRuns) message.TeamAlert {
	lines := []string{
		fmt.Sprintf("Reconciliation runs, but no run has succeeded since %s, and there should be one every %s.", spoken(since), s.ReconcileEvery),
		"Each run does what it can and begins again where it could not go on. What it could not read, at Stripe or at another service, is not checked until it can be.",
	}
	for _, line := range last.Failed[:min(len(last.Failed), quoted)] {
		lines = append(lines, "The last run says: "+line)
	}
	return message.TeamAlert{
		DedupeKey: fmt.Sprintf("reconciliation/failing/%d", since.Unix()),
		Title:     "Reconciliation runs, but does not succeed",
		Lines: append(lines,
			"If Stripe or a service of ours is away, there is nothing to do here: it ends with that. The runs are listed under /admin/v1/reconciliation/runs."),
	}
}

func runsAgain(stopped, ended time.Time, last clients.LastRuns) message.TeamAlert {
	a := message.TeamAlert{
		DedupeKey: fmt.Sprintf("reconciliation/works/%d", stopped.Unix()),
		Title:     "Reconciliation works again",
		Lines: []string{
			fmt.Sprintf("A reconciliation run came to its end at %s; before that, none had since %s.", spoken(ended), spoken(stopped)),
			"It goes on where it had stopped. There is nothing to do.",
		},
	}
	if last.Failed != nil {
		a.Title, a.Lines[1] = "Reconciliation runs again", "It could not do everything: its details say what. If that lasts, you hear of it."
	}
	return a
}

func succeedsAgain(failing, succeeded time.Time) message.TeamAlert {
	return message.TeamAlert{
		DedupeKey: fmt.Sprintf("reconciliation/succeeds/%d", failing.Unix()),
		Title:     "Reconciliation succeeds again",
		Lines: []string{
			fmt.Sprintf("A reconciliation run succeeded at %s; before that, none had since %s.", spoken(succeeded), spoken(failing)),
			"It goes on where it could not. There is nothing to do.",
		},
	}
}

func spoken(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }
