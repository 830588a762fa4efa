package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

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

// ListSlice is a part of a list that is read between two moves of its cursor, from its
// newest to its oldest.
type ListSlice struct {
	From, Before time.Time
	// ReadBefore is where the cursor moves when the slice is read to its end: never past
	// the time when its reading began.
	ReadBefore time.Time
	// PageToken is where it goes on; empty for its beginning.
	PageToken string
}

// Reading answers with the slice of a list that was begun last; nil when none was.
func (s *Store) Reading(ctx context.Context, name string) (*ListSlice, error) {
	row, err := s.q.GetListReading(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &ListSlice{From: row.SliceFrom, Before: row.SliceBefore, ReadBefore: row.ReadBefore, PageToken: row.PageToken}, mapError(err)
}

// KeepReading notes that what is before the place of a slice was read and worked.
func (s *Store) KeepReading(ctx context.Context, name string, at ListSlice, now time.Time) error {
	return mapError(s.q.SetListReading(ctx, db.SetListReadingParams{
		Name: name, SliceFrom: at.From, SliceBefore: at.Before, ReadBefore: at.ReadBefore, PageToken: at.PageToken, Now: now,
	}))
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
