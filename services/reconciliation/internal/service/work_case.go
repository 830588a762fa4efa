package service

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/cases"
)

// ClaimCase makes a case caller's, or to's when that is somebody else. Whoever has
// it may hand it over; another must say takeOver. Errors: cases.ErrNotFound,
// ErrResolved, ErrClaimed.
func (s *Service) ClaimCase(ctx context.Context, id int64, caller, to string, takeOver bool, note string) (cases.Case, error) {
	if to == "" {
		to = caller
	}
	return s.changeCase(ctx, id, func(c *cases.Case, now time.Time) (*cases.Event, error) {
		switch {
		case c.State == cases.Resolved:
			return nil, cases.ErrResolved
		case c.ClaimedBy == to:
			return nil, nil
		case c.ClaimedBy != "" && c.ClaimedBy != caller && !takeOver:
			return nil, cases.ErrClaimed.With("claimed_by", c.ClaimedBy)
		}
		e := &cases.Event{What: cases.Claimed, Note: note}
		if to != caller {
			e.What, e.Note = cases.HandedOver, "to "+to
		} else if c.ClaimedBy != "" {
			e.Note = "from " + c.ClaimedBy
		}
		if note != "" && e.Note != note {
			e.Note += ": " + note
		}
		c.ClaimedBy, c.ClaimedAt = to, &now
		return e, nil
	}, caller)
}

// SnoozeCase puts a case out of the queue until a time, or until it is reported
// with something new. Errors: cases.ErrNotFound, ErrResolved; INVALID_ARGUMENT.
func (s *Service) SnoozeCase(ctx context.Context, id int64, caller string, until time.Time, reason string) (cases.Case, error) {
	until = until.UTC().Truncate(time.Microsecond)
	return s.changeCase(ctx, id, func(c *cases.Case, now time.Time) (*cases.Event, error) {
		switch {
		case c.State == cases.Resolved:
			return nil, cases.ErrResolved
		case !until.After(now):
			return nil, apperr.Invalid("until", "is not in the future")
		}
		c.SnoozedUntil = &until
		if c.NextLookAt == nil || c.ToldAt != nil {
			c.NextLookAt = &until
		}
		return &cases.Event{What: cases.Snoozed, Note: "until " + until.Format(time.RFC3339) + ": " + reason}, nil
	}, caller)
}

// ResolveCase closes a case; one that is closed is answered as it is. Errors:
// cases.ErrNotFound.
func (s *Service) ResolveCase(ctx context.Context, id int64, caller, resolution string) (cases.Case, error) {
	return s.changeCase(ctx, id, func(c *cases.Case, now time.Time) (*cases.Event, error) {
		if c.State == cases.Resolved {
			return nil, nil
		}
		return resolve(c, caller, resolution, now), nil
	}, caller)
}

func resolve(c *cases.Case, by, resolution string, now time.Time) *cases.Event {
	c.State, c.ResolvedAt, c.ResolvedBy, c.Resolution = cases.Resolved, &now, by, resolution
	c.SnoozedUntil, c.NextLookAt = nil, nil
	return &cases.Event{What: cases.Closed, Note: resolution}
}

// closeCase closes a case because its problem has gone away, and says whether it
// did: not when it was closed or reported again since it was read.
func (s *Service) closeCase(ctx context.Context, read cases.Case, resolution string) (closed bool, err error) {
	_, err = s.changeCase(ctx, read.ID, func(c *cases.Case, now time.Time) (*cases.Event, error) {
		if closed = c.State == cases.Open && c.ReportedCount == read.ReportedCount; !closed {
			return nil, nil
		}
		return resolve(c, cases.System, resolution, now), nil
	}, cases.System)
	return closed && err == nil, err
}

// changeCase changes one case under its lock. No event means that there was nothing
// to change.
func (s *Service) changeCase(ctx context.Context, id int64, change func(*cases.Case, time.Time) (*cases.Event, error), actor string) (cases.Case, error) {
	now := s.now()
	err := s.Store.InTx(ctx, func(tx pgx.Tx) error {
		c, err := s.Store.LockCase(ctx, tx, id)
		if err != nil {
			return err
		}
		e, err := change(&c, now)
		if err != nil || e == nil {
			return err
		}
		if err := s.Store.UpdateCase(ctx, tx, c); err != nil {
			return err
		}
		e.Actor, e.At = actor, now
		return s.Store.AddCaseEvent(ctx, tx, id, *e)
	})
	if err != nil {
		return cases.Case{}, err
	}
	return s.Case(ctx, id)
}

// Case reads one case with what happened to it. Errors: cases.ErrNotFound.
func (s *Service) Case(ctx context.Context, id int64) (cases.Case, error) {
	c, err := s.Store.Case(ctx, id)
	if err != nil {
		return cases.Case{}, err
	}
	list := []cases.Case{c}
	err = s.Store.WithEvents(ctx, list)
	return list[0], err
}

// ListCases lists at most limit cases after a position, the longest wait of a
// customer first; an empty state lists all. Of the open ones, those that are
// snoozed are left out unless wanted.
func (s *Service) ListCases(ctx context.Context, state cases.State, snoozed bool, after cases.Position, limit int) ([]cases.Case, error) {
	var awakeAt *time.Time
	if state == cases.Open && !snoozed {
		now := s.now()
		awakeAt = &now
	}
	list, err := s.Store.ListCases(ctx, state, awakeAt, after, limit)
	if err != nil {
		return nil, err
	}
	return list, s.Store.WithEvents(ctx, list)
}
