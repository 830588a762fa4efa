package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/pg"
	"makegood.example/services/reconciliation/internal/store/db"
)

// Pass is one reading of everything in a window, some pages in each run.
type Pass struct {
	ID           int64
	Why          string
	From, Before time.Time
	StartedAt    time.Time
	FinishedAt   *time.Time
}

// Slice is a part of a pass, which is read from its newest charge to its oldest.
type Slice struct {
	PassID       int64
	From, Before time.Time
	// PageToken is where it goes on; empty for its beginning.
	PageToken string
}

// UnfinishedPass answers with the deep pass to go on with, or nil.
func (s *Store) UnfinishedPass(ctx context.Context) (*Pass, error) {
	row, err := s.q.GetUnfinishedPass(ctx)
	return onePass(db.GetFinishedPassRow(row), err)
}

// Beginning is before anything that Stripe can show: it took its first charge later.
var Beginning = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)

// FinishedPass answers with the deep pass up to now that finished last, or nil.
func (s *Store) FinishedPass(ctx context.Context) (*Pass, error) {
	return onePass(s.q.GetFinishedPass(ctx, Beginning))
}

// HasReadHistory says whether what is older than the first deep pass has been read.
func (s *Store) HasReadHistory(ctx context.Context) (bool, error) {
	read, err := s.q.HasReadHistory(ctx, Beginning)
	return read, mapError(err)
}

// StartPass begins a deep pass; one that is not finished is given up for it.
func (s *Store) StartPass(ctx context.Context, why string, from, before, now time.Time) (pass *Pass, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		q := s.q.WithTx(tx)
		if err := q.AbandonPasses(ctx, now); err != nil {
			return err
		}
		row, err := q.StartPass(ctx, db.StartPassParams{Why: why, WindowFrom: from, WindowBefore: before, StartedAt: now})
		if err != nil {
			return err
		}
		pass, err = onePass(db.GetFinishedPassRow(row), nil)
		return err
	})
	return pass, mapError(err)
}

// Slices cuts a pass into at most n slices, unless that was done before, and
// answers with those that are not read, the newest first.
func (s *Store) Slices(ctx context.Context, p Pass, n int) ([]Slice, error) {
	// Stripe counts whole seconds.
	long := max(time.Second, (p.Before.Sub(p.From)/time.Duration(n)).Truncate(time.Second)+time.Second)
	cut := db.CutPassParams{PassID: p.ID}
	for from := p.From; from.Before(p.Before); from = from.Add(long) {
		before := from.Add(long)
		if before.After(p.Before) {
			before = p.Before
		}
		cut.Froms, cut.Befores = append(cut.Froms, from), append(cut.Befores, before)
	}
	rows, err := s.q.ListSlices(ctx, p.ID)
	if err == nil && len(rows) == 0 {
		if err = s.q.CutPass(ctx, cut); err == nil {
			rows, err = s.q.ListSlices(ctx, p.ID)
		}
	}
	slices := make([]Slice, len(rows))
	for i, row := range rows {
		slices[i] = Slice{PassID: row.PassID, From: row.SliceFrom, Before: row.SliceBefore, PageToken: row.PageToken}
	}
	return slices, mapError(err)
}

// errMoved: another instance has moved the slice.
var errMoved = errors.New("another has read the page")

// MoveSlice notes that the page before token of a slice was read; an empty token
// ends the slice, and the last slice's end ends the pass. mine is false when another
// moved or ended it meanwhile.
func (s *Store) MoveSlice(ctx context.Context, slice Slice, token string, now time.Time) (mine, passOver bool, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		q := s.q.WithTx(tx)
		n, err := q.CountPage(ctx, slice.PassID)
		if err != nil {
			return err
		}
		move := db.MoveSliceParams{PassID: slice.PassID, SliceFrom: slice.From, WasToken: slice.PageToken, PageToken: token}
		if token == "" {
			move.FinishedAt = &now
		}
		if n == 1 {
			if n, err = q.MoveSlice(ctx, move); err != nil {
				return err
			}
		}
		if n != 1 {
			return errMoved
		}
		if token == "" {
			n, err = q.FinishPass(ctx, db.FinishPassParams{ID: slice.PassID, Now: now})
			passOver = n == 1
		}
		return err
	})
	if errors.Is(err, errMoved) {
		return false, false, nil
	}
	return err == nil, passOver, mapError(err)
}

func onePass(row db.GetFinishedPassRow, err error) (*Pass, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &Pass{
		ID: row.ID, Why: row.Why, From: row.WindowFrom, Before: row.WindowBefore, StartedAt: row.StartedAt, FinishedAt: row.FinishedAt,
	}, mapError(err)
}
