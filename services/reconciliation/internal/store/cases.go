package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/pg"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/store/db"
)

// InTx runs fn in one transaction; fn may run again.
func (s *Store) InTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return pg.InTx(ctx, s.pool, fn)
}

// InsertCase opens a case; false when one is open already.
func (s *Store) InsertCase(ctx context.Context, tx pgx.Tx, kind cases.Kind, subject, summary string, now time.Time) (cases.Case, bool, error) {
	row, err := s.q.WithTx(tx).InsertCase(ctx, db.InsertCaseParams{Kind: string(kind), Subject: subject, Summary: summary, Now: now, Due: &now})
	if errors.Is(err, pgx.ErrNoRows) {
		return cases.Case{}, false, nil
	}
	return toCase(row), err == nil, mapError(err)
}

// LockOpenCase holds the open case of a kind and subject; false when none is open.
func (s *Store) LockOpenCase(ctx context.Context, tx pgx.Tx, kind cases.Kind, subject string) (cases.Case, bool, error) {
	row, err := s.q.WithTx(tx).LockOpenCase(ctx, db.LockOpenCaseParams{Kind: string(kind), Subject: subject})
	if errors.Is(err, pgx.ErrNoRows) {
		return cases.Case{}, false, nil
	}
	return toCase(row), err == nil, mapError(err)
}

// OpenCaseOf reads the open case of a kind about a subject, if there is one.
func (s *Store) OpenCaseOf(ctx context.Context, kind cases.Kind, subject string) (cases.Case, bool, error) {
	row, err := s.q.GetOpenCase(ctx, db.GetOpenCaseParams{Kind: string(kind), Subject: subject})
	if errors.Is(err, pgx.ErrNoRows) {
		return cases.Case{}, false, nil
	}
	return toCase(row), err == nil, mapError(err)
}

// HasCaseSince says whether a case of a kind and subject was open at a time, or since.
func (s *Store) HasCaseSince(ctx context.Context, kind cases.Kind, subject string, since time.Time) (bool, error) {
	has, err := s.q.HasCaseSince(ctx, db.HasCaseSinceParams{Kind: string(kind), Subject: subject, Since: since})
	return has, mapError(err)
}

// ReportCase counts one more report of a locked case, with its newer summary. One that
// has news wakes it, and has it looked after anew.
func (s *Store) ReportCase(ctx context.Context, tx pgx.Tx, id int64, summary string, news bool, now time.Time) (cases.Case, error) {
	row, err := s.q.WithTx(tx).ReportCase(ctx, db.ReportCaseParams{ID: id, Summary: summary, News: news, Now: now})
	return toCase(row), mapError(err)
}

// LockCase holds a case. cases.ErrNotFound without it.
func (s *Store) LockCase(ctx context.Context, tx pgx.Tx, id int64) (cases.Case, error) {
	row, err := s.q.WithTx(tx).LockCase(ctx, id)
	return caseOr(row, err)
}

// Case reads a case. cases.ErrNotFound without it.
func (s *Store) Case(ctx context.Context, id int64) (cases.Case, error) {
	return caseOr(s.q.GetCase(ctx, id))
}

func caseOr(row db.Case, err error) (cases.Case, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return cases.Case{}, cases.ErrNotFound
	}
	return toCase(row), mapError(err)
}

// UpdateCase writes what people and the system decide about a locked case.
func (s *Store) UpdateCase(ctx context.Context, tx pgx.Tx, c cases.Case) error {
	_, err := s.q.WithTx(tx).UpdateCase(ctx, db.UpdateCaseParams{
		ID: c.ID, State: string(c.State), ResolvedAt: c.ResolvedAt, ResolvedBy: orNull(c.ResolvedBy), Resolution: orNull(c.Resolution),
		ClaimedBy: orNull(c.ClaimedBy), ClaimedAt: c.ClaimedAt, SnoozedUntil: c.SnoozedUntil, WaitingSince: c.WaitingSince,
		Urgent: c.Urgent, NextLookAt: c.NextLookAt, AcknowledgedBy: orNull(c.AcknowledgedBy), AcknowledgedAt: c.AcknowledgedAt,
	})
	return mapError(err)
}

// AddCaseEvent writes down what happened to a case.
func (s *Store) AddCaseEvent(ctx context.Context, tx pgx.Tx, id int64, e cases.Event) error {
	return mapError(s.q.WithTx(tx).InsertCaseEvent(ctx, db.InsertCaseEventParams{CaseID: id, What: e.What, Actor: e.Actor, Note: e.Note, At: e.At}))
}

// ClaimDueCases takes at most limit cases that are to be looked after.
func (s *Store) ClaimDueCases(ctx context.Context, now time.Time, limit int) ([]int64, error) {
	ids, err := s.q.ClaimDueCases(ctx, db.ClaimDueCasesParams{Now: now, MaxRows: int32(limit)})
	return ids, mapError(err)
}

// ListCases lists at most limit cases after a position: those that a customer waits
// for first. An empty state lists all; with awakeAt, those are left out that are
// snoozed then.
func (s *Store) ListCases(ctx context.Context, state cases.State, awakeAt *time.Time, after cases.Position, limit int) ([]cases.Case, error) {
	rows, err := s.q.ListCases(ctx, db.ListCasesParams{
		State: string(state), AwakeAt: awakeAt,
		AfterWaitingSince: after.WaitingSince, AfterOpenedAt: after.OpenedAt, AfterID: after.ID, PageSize: int32(limit),
	})
	return toCases(rows), mapError(err)
}

// ListOpenCases lists at most limit open cases with greater ids, snoozed or not.
func (s *Store) ListOpenCases(ctx context.Context, afterID int64, limit int) ([]cases.Case, error) {
	rows, err := s.q.ListOpenCases(ctx, db.ListOpenCasesParams{AfterID: afterID, PageSize: int32(limit)})
	return toCases(rows), mapError(err)
}

// WithEvents adds to cases what happened to them, in one query.
func (s *Store) WithEvents(ctx context.Context, list []cases.Case) error {
	ids, at := make([]int64, len(list)), make(map[int64]int, len(list))
	for i, c := range list {
		ids[i], at[c.ID] = c.ID, i
	}
	rows, err := s.q.ListCaseEvents(ctx, ids)
	if err != nil {
		return mapError(err)
	}
	for _, r := range rows {
		c := &list[at[r.CaseID]]
		c.Events = append(c.Events, cases.Event{What: r.What, Actor: r.Actor, Note: r.Note, At: r.At})
	}
	return nil
}

func toCase(row db.Case) cases.Case {
	return cases.Case{
		ID: row.ID, Kind: cases.Kind(row.Kind), Subject: row.Subject, State: cases.State(row.State), Summary: row.Summary,
		OpenedAt: row.OpenedAt, ResolvedAt: row.ResolvedAt,
		ReportedCount: int(row.ReportedCount), LastReportedAt: row.LastReportedAt,
		WaitingSince: row.WaitingSince, ClaimedBy: orEmpty(row.ClaimedBy), ClaimedAt: row.ClaimedAt, SnoozedUntil: row.SnoozedUntil,
		ResolvedBy: orEmpty(row.ResolvedBy), Resolution: orEmpty(row.Resolution), Urgent: row.Urgent, NextLookAt: row.NextLookAt,
		AcknowledgedBy: orEmpty(row.AcknowledgedBy), AcknowledgedAt: row.AcknowledgedAt, Version: row.Version,
	}
}

func toCases(rows []db.Case) []cases.Case {
	list := make([]cases.Case, len(rows))
	for i, row := range rows {
		list[i] = toCase(row)
	}
	return list
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// CasesAbout lists at most limit cases about orders, and about other subjects: the
// open ones first, then the newest.
func (s *Store) CasesAbout(ctx context.Context, orderIDs, subjects []string, limit int) ([]cases.Case, error) {
	rows, err := s.q.ListCasesAbout(ctx, db.ListCasesAboutParams{OrderIds: orderIDs, Subjects: subjects, PageSize: int32(limit)})
	return toCases(rows), mapError(err)
}
