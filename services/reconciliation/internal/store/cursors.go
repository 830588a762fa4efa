package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/pg"
	"makegood.example/services/reconciliation/internal/store/db"
)

// Cursor answers up to where a list was read without a gap; false when it was
// never read.
func (s *Store) Cursor(ctx context.Context, name string) (readBefore time.Time, known bool, err error) {
	readBefore, err = s.q.GetCursor(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return readBefore, err == nil, mapError(err)
}

// MoveCursor says that a list was read up to there; it never moves back.
func (s *Store) MoveCursor(ctx context.Context, name string, readBefore, now time.Time) error {
	return mapError(s.q.MoveCursor(ctx, db.MoveCursorParams{Name: name, ReadBefore: readBefore, Now: now}))
}

// HistoryMarks are how far the others' histories went, by service.
func (s *Store) HistoryMarks(ctx context.Context) (map[string]int64, error) {
	rows, err := s.q.GetHistoryMarks(ctx)
	if err != nil {
		return nil, mapError(err)
	}
	marks := make(map[string]int64, len(rows))
	for _, row := range rows {
		marks[row.Name] = row.Position
	}
	return marks, nil
}

// SetHistoryMark keeps how far a service's history goes.
func (s *Store) SetHistoryMark(ctx context.Context, service string, position int64, now time.Time) error {
	return mapError(s.q.SetHistoryMark(ctx, db.SetHistoryMarkParams{Name: service, Position: position, Now: now}))
}

// Pass is one reading of everything in a window, a slice in each run.
type Pass struct {
	ID           int64
	Why          string
	From, Before time.Time
	// PageToken is where it goes on.
	PageToken  string
	PagesRead  int64
	StartedAt  time.Time
	FinishedAt *time.Time
}

// UnfinishedPass answers with the deep pass to go on with, or nil.
func (s *Store) UnfinishedPass(ctx context.Context) (*Pass, error) {
	return onePass(s.q.GetUnfinishedPass(ctx))
}

// FinishedPass answers with the deep pass that finished last, or nil.
func (s *Store) FinishedPass(ctx context.Context) (*Pass, error) {
	return onePass(s.q.GetFinishedPass(ctx))
}

// StartPass begins a deep pass; one that is not finished is given up for it.
func (s *Store) StartPass(ctx context.Context, why string, from, before, now time.Time) (*Pass, error) {
	var pass *Pass
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
		q := s.q.WithTx(tx)
		if err := q.AbandonPasses(ctx, now); err != nil {
			return err
		}
		pass, err = onePass(q.StartPass(ctx, db.StartPassParams{Why: why, WindowFrom: from, WindowBefore: before, StartedAt: now}))
		return err
	})
	return pass, mapError(err)
}

// MovePass notes that a pass has read the page before token; an empty token
// ends it. False when another moved or ended it meanwhile.
func (s *Store) MovePass(ctx context.Context, p Pass, token string, now time.Time) (bool, error) {
	move := db.MovePassParams{ID: p.ID, WasToken: p.PageToken, PageToken: token}
	if token == "" {
		move.FinishedAt = &now
	}
	n, err := s.q.MovePass(ctx, move)
	return n == 1, mapError(err)
}

func onePass(row db.DeepPass, err error) (*Pass, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &Pass{
		ID: row.ID, Why: row.Why, From: row.WindowFrom, Before: row.WindowBefore, PageToken: row.PageToken,
		PagesRead: row.PagesRead, StartedAt: row.StartedAt, FinishedAt: row.FinishedAt,
	}, mapError(err)
}
