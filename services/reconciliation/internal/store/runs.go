package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/pg"
	"makegood.example/services/reconciliation/internal/run"
	"makegood.example/services/reconciliation/internal/store/db"
)

// StartRun records a new run of an instance, after marking as failed one whose lease
// has expired, or that this instance does not work on although it bears its name.
// run.ErrInProgress while another works.
func (s *Store) StartRun(ctx context.Context, instance string, atWork []int64, now time.Time, dryRun bool) (id int64, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		q := s.q.WithTx(tx)
		if _, err := q.FailAbandonedRuns(ctx, db.FailAbandonedRunsParams{
			Now: now, Detail: run.Abandoned, Instance: instance, AtWork: append([]int64{}, atWork...), // NULL would be no list
		}); err != nil {
			return err
		}
		id, err = q.InsertRun(ctx, db.InsertRunParams{StartedAt: now, LeaseUntil: leaseFrom(now), DryRun: dryRun, Instance: instance})
		return err
	})
	return id, mapError(err)
}

// SaveProgress keeps what a run has found so far and renews its lease.
// run.ErrTakenOver when it is not the running one any more.
func (s *Store) SaveProgress(ctx context.Context, id int64, now time.Time, c run.Counts, lines []string) error {
	n, err := s.q.SaveProgress(ctx, db.SaveProgressParams{
		ID: id, LeaseUntil: leaseFrom(now),
		StuckFound: int32(c.StuckFound), StuckRecovered: int32(c.StuckRecovered), Errors: int32(c.Errors),
		ChargesChecked: int32(c.ChargesChecked), OrphansFound: int32(c.OrphansFound), OrphansRecovered: int32(c.OrphansRecovered),
		EventsAdded: int32(c.EventsAdded), ConfirmationsSent: int32(c.ConfirmationsSent), Dispositions: asJSON(c.Dispositions),
		Lines: notNull(lines),
	})
	if err == nil && n == 0 {
		return run.ErrTakenOver
	}
	return mapError(err)
}

// FinishRun records the end of a run. run.ErrTakenOver when it is not the
// running one any more.
func (s *Store) FinishRun(ctx context.Context, id int64, now time.Time, status run.Status, c run.Counts, lines []string) error {
	n, err := s.q.FinishRun(ctx, db.FinishRunParams{
		ID: id, FinishedAt: &now, Status: string(status),
		StuckFound: int32(c.StuckFound), StuckRecovered: int32(c.StuckRecovered), Errors: int32(c.Errors),
		ChargesChecked: int32(c.ChargesChecked), OrphansFound: int32(c.OrphansFound), OrphansRecovered: int32(c.OrphansRecovered),
		EventsAdded: int32(c.EventsAdded), ConfirmationsSent: int32(c.ConfirmationsSent), Dispositions: asJSON(c.Dispositions),
		Lines: notNull(lines),
	})
	if err == nil && n == 0 {
		return run.ErrTakenOver
	}
	return mapError(err)
}

func leaseFrom(now time.Time) *time.Time {
	until := now.Add(run.Lease)
	return &until
}

func asJSON(counts map[string]int64) []byte {
	if counts == nil {
		return []byte("{}")
	}
	b, err := json.Marshal(counts)
	if err != nil {
		panic(err) // a map of strings to integers always is JSON
	}
	return b
}

// notNull is for a query that appends: appending NULL would empty the column.
func notNull(lines []string) []string {
	if lines == nil {
		return []string{}
	}
	return lines
}

// Run reads one run.
func (s *Store) Run(ctx context.Context, id int64) (run.Run, error) {
	row, err := s.q.GetRun(ctx, id)
	if err != nil {
		return run.Run{}, mapError(err)
	}
	return toRun(row)
}

// ListRuns lists at most limit runs older than the one with id before, newest first.
func (s *Store) ListRuns(ctx context.Context, before int64, limit int) ([]run.Run, error) {
	rows, err := s.q.ListRuns(ctx, db.ListRunsParams{BeforeID: before, PageSize: int32(limit)})
	if err != nil {
		return nil, mapError(err)
	}
	runs := make([]run.Run, len(rows))
	for i, row := range rows {
		if runs[i], err = toRun(row); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

func toRun(row db.Run) (run.Run, error) {
	r := run.Run{
		ID: row.ID, StartedAt: row.StartedAt, FinishedAt: row.FinishedAt, Status: run.Status(row.Status), DryRun: row.DryRun,
		Counts: run.Counts{
			StuckFound: int(row.StuckFound), StuckRecovered: int(row.StuckRecovered), Errors: int(row.Errors),
			ChargesChecked: int(row.ChargesChecked), OrphansFound: int(row.OrphansFound), OrphansRecovered: int(row.OrphansRecovered),
			EventsAdded: int(row.EventsAdded), ConfirmationsSent: int(row.ConfirmationsSent),
		},
	}
	if err := json.Unmarshal(row.Details, &r.Details); err != nil {
		return run.Run{}, fmt.Errorf("store: details of run %d: %w", row.ID, err)
	}
	if err := json.Unmarshal(row.Dispositions, &r.Dispositions); err != nil {
		return run.Run{}, fmt.Errorf("store: dispositions of run %d: %w", row.ID, err)
	}
	return r, nil
}
