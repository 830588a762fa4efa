package service

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/clients"
	"makegood.example/services/notifications/internal/incident"
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

// watchSource is the source of the incidents that reconciliation is watched for.
const watchSource = "watch"

// WatchReconciliation keeps one incident while no run has come to its end for three
// periods, and another while runs end and none has succeeded for as long. That
// Reconciliation cannot be asked is no news of a run: after three periods it has
// stopped.
func (s *Service) WatchReconciliation(ctx context.Context, _ bool) error {
	last, askErr := s.Runs.Last(ctx)
	limit := stoppedAfter * s.ReconcileEvery
	return s.Store.InTx(ctx, func(tx pgx.Tx) error {
		ends, succeeds, err := s.Store.LockWatch(ctx, tx)
		if err != nil {
			return err
		}
		now := s.now()
		ends = ends.Look(now, last.EndedAt, limit)
		if ends.StoppedSince == nil { // while nothing runs, nothing can succeed
			succeeds = succeeds.Look(now, last.SucceededAt, limit)
		}
		if err := s.Store.PutWatch(ctx, tx, ends, succeeds); err != nil {
			return err
		}
		var reports []incident.Report
		if ends.StoppedSince != nil {
			reports = append(reports, s.hasStopped(*ends.StoppedSince, last, askErr))
		}
		if succeeds.StoppedSince != nil {
			reports = append(reports, s.doesNotSucceed(*succeeds.StoppedSince, last))
		}
		return s.takeIn(ctx, tx, watchSource, now, reports)
	})
}

func (s *Service) hasStopped(since time.Time, last clients.LastRuns, askErr error) incident.Report {
	found := "Reconciliation answers, but none of its runs has ended since: they are not begun, or cut short."
	switch {
	case askErr != nil:
		found = "Reconciliation does not answer: " + askErr.Error() + "."
	case last.WorksSince != nil:
		found = fmt.Sprintf("Reconciliation answers. A run has been at work since %s and has not ended.", incident.Spoken(*last.WorksSince))
	}
	return incident.Report{
		Key: "reconciliation-stopped", Tier: incident.PageNow, Count: 1, Since: &since,
		Words: incident.Words{
			Title: "Reconciliation has stopped",
			Meaning: fmt.Sprintf("No run has come to its end since then, and there should be one every %s. %s ", s.ReconcileEvery, found) +
				"Until it works again, a payment that request, rescue and webhook all miss is not found, and no case closes by itself.",
			NextStep: "Check that the process of Reconciliation runs and what its log says.",
			Items:    []incident.Item{{Text: "Its runs", Path: "/runs"}},
		},
	}
}

// quoted bounds how much of a failed run is told.
const quoted = 3

func (s *Service) doesNotSucceed(since time.Time, last clients.LastRuns) incident.Report {
	words := incident.Words{
		Title: "Reconciliation runs, but does not succeed",
		Meaning: fmt.Sprintf("No run has succeeded since then, and there should be one every %s. ", s.ReconcileEvery) +
			"Each run does what it can and begins again where it could not go on. What it could not read, at Stripe or at another service, is not checked until it can be.",
		NextStep: "If Stripe or a service of ours is away, nothing: it ends with that.",
	}
	for _, line := range last.Failed[:min(len(last.Failed), quoted)] {
		words.Items = append(words.Items, incident.Item{Text: "The last run says: " + cut(line, 900), Path: "/runs"})
	}
	return incident.Report{Key: "reconciliation-failing", Tier: incident.SameDay, Count: 1, Since: &since, Words: words}
}

// cut shortens what others say.
func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
