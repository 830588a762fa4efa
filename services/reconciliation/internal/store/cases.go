package store

import (
	"context"
	"time"

	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/store/db"
)

// OpenCase opens a case, or counts one more report of the one that is open.
func (s *Store) OpenCase(ctx context.Context, kind cases.Kind, subject, summary string, now time.Time) (cases.Case, error) {
	row, err := s.q.OpenCase(ctx, db.OpenCaseParams{Kind: string(kind), Subject: subject, Summary: summary, Now: now})
	return toCase(row), mapError(err)
}

// ResolveCase closes a case as it was read, and says whether it did: not when
// it was closed or reported again since.
func (s *Store) ResolveCase(ctx context.Context, c cases.Case, now time.Time) (bool, error) {
	n, err := s.q.ResolveCase(ctx, db.ResolveCaseParams{ID: c.ID, ReportedCount: int32(c.ReportedCount), Now: now})
	return n == 1, mapError(err)
}

// ListCases lists at most limit cases after a position, the longest open first.
// An empty state or kind lists all.
func (s *Store) ListCases(ctx context.Context, state cases.State, kind cases.Kind, after cases.Position, limit int) ([]cases.Case, error) {
	rows, err := s.q.ListCases(ctx, db.ListCasesParams{
		State: string(state), Kind: string(kind),
		AfterOpenedAt: after.OpenedAt, AfterID: after.ID, PageSize: int32(limit),
	})
	if err != nil {
		return nil, mapError(err)
	}
	list := make([]cases.Case, len(rows))
	for i, row := range rows {
		list[i] = toCase(row)
	}
	return list, nil
}

func toCase(row db.Case) cases.Case {
	return cases.Case{
		ID: row.ID, Kind: cases.Kind(row.Kind), Subject: row.Subject, State: cases.State(row.State), Summary: row.Summary,
		OpenedAt: row.OpenedAt, ResolvedAt: row.ResolvedAt,
		ReportedCount: int(row.ReportedCount), LastReportedAt: row.LastReportedAt,
	}
}
