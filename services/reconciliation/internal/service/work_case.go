package service

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/desk"
)

// ClaimCase makes a case the actor's, or to's when that is somebody else. Whoever has
// it may hand it over; another must say takeOver. Errors: cases.ErrNotFound,
// ErrResolved, ErrClaimed.
func (s *Service) ClaimCase(ctx context.Context, a desk.Act, id int64, to string, takeOver bool, note string) (Acted, error) {
	if to == "" {
		to = a.Actor
	}
	return s.actOnCase(ctx, a, id, "case claimed", func(c *cases.Case, now time.Time) (*cases.Event, error) {
		switch {
		case c.State == cases.Resolved:
			return nil, cases.ErrResolved
		case c.ClaimedBy == to:
			return nil, nil
		case c.ClaimedBy != "" && c.ClaimedBy != a.Actor && !takeOver:
			return nil, cases.ErrClaimed.With("claimed_by", c.ClaimedBy)
		}
		e := &cases.Event{What: cases.Claimed, Note: note}
		if to != a.Actor {
			e.What, e.Note = cases.HandedOver, "to "+to
		} else if c.ClaimedBy != "" {
			e.Note = "from " + c.ClaimedBy
		}
		if note != "" && e.Note != note {
			e.Note += ": " + note
		}
		c.ClaimedBy, c.ClaimedAt = to, &now
		return e, nil
	})
}

// AcknowledgeCase says that the actor has seen a case; whoever was first stands.
// Errors: cases.ErrNotFound, ErrResolved.
func (s *Service) AcknowledgeCase(ctx context.Context, a desk.Act, id int64, note string) (Acted, error) {
	return s.actOnCase(ctx, a, id, "case acknowledged", func(c *cases.Case, now time.Time) (*cases.Event, error) {
		switch {
		case c.State == cases.Resolved:
			return nil, cases.ErrResolved
		case c.AcknowledgedBy != "":
			return nil, nil
		}
		c.AcknowledgedBy, c.AcknowledgedAt = a.Actor, &now
		return &cases.Event{What: cases.Seen, Note: note}, nil
	})
}

// SnoozeCase puts a case out of the queue until a time, or until it is reported
// with something new. Errors: cases.ErrNotFound, ErrResolved; INVALID_ARGUMENT.
func (s *Service) SnoozeCase(ctx context.Context, a desk.Act, id int64, until time.Time) (Acted, error) {
	until = until.UTC().Truncate(time.Microsecond)
	return s.actOnCase(ctx, a, id, "case snoozed", func(c *cases.Case, now time.Time) (*cases.Event, error) {
		switch {
		case c.State == cases.Resolved:
			return nil, cases.ErrResolved
		case c.SnoozedUntil != nil && c.SnoozedUntil.Equal(until):
			return nil, nil
		case !until.After(now):
			return nil, apperr.Invalid("until", "is not in the future")
		}
		c.SnoozedUntil = &until
		if c.NextLookAt == nil || c.NextLookAt.After(until) || c.WaitingSince != nil {
			c.NextLookAt = &until
		}
		return &cases.Event{What: cases.Snoozed, Note: "until " + until.Format(time.RFC3339) + ": " + a.Reason}, nil
	})
}

// ResolveCase closes a case; one that is closed is answered as it is. What was reported
// since the actor saw it is not decided with it: version is what they saw, 0 for any.
// Errors: cases.ErrNotFound, ErrNews.
func (s *Service) ResolveCase(ctx context.Context, a desk.Act, id, version int64, resolution string) (Acted, error) {
	return s.actOnCase(ctx, a, id, "case resolved", func(c *cases.Case, now time.Time) (*cases.Event, error) {
		switch {
		case c.State == cases.Resolved:
			return nil, nil
		case version != 0 && version != c.Version:
			return nil, cases.ErrNews
		}
		return resolve(c, a.Actor, resolution, now), nil
	})
}

func resolve(c *cases.Case, by, resolution string, now time.Time) *cases.Event {
	c.State, c.ResolvedAt, c.ResolvedBy, c.Resolution = cases.Resolved, &now, by, resolution
	c.SnoozedUntil, c.NextLookAt = nil, nil
	return &cases.Event{What: cases.Closed, Note: resolution}
}

// closeCase closes a case because its problem has gone away, and says whether it
// did: not when it was closed or reported again since it was read.
func (s *Service) closeCase(ctx context.Context, read cases.Case, resolution string) (closed bool, err error) {
	_, closed, err = s.changeCase(ctx, read.ID, func(c *cases.Case, now time.Time) (*cases.Event, error) {
		if c.State != cases.Open || c.ReportedCount != read.ReportedCount {
			return nil, nil
		}
		return resolve(c, cases.System, resolution, now), nil
	}, cases.System, false)
	return closed && err == nil, err
}

// change decides what becomes of a case; no event means that there is nothing to
// change.
type change func(c *cases.Case, now time.Time) (*cases.Event, error)

// changeCase changes one case under its lock, and says whether there was anything to
// change. In a dry run it answers with the case as it would be.
func (s *Service) changeCase(ctx context.Context, id int64, do change, actor string, dry bool) (c cases.Case, changed bool, err error) {
	now := s.now()
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		var err error
		if c, err = s.Store.LockCase(ctx, tx, id); err != nil {
			return err
		}
		e, err := do(&c, now)
		if changed = err == nil && e != nil; !changed || dry {
			return err
		}
		if err := s.Store.UpdateCase(ctx, tx, c); err != nil {
			return err
		}
		e.Actor, e.At = actor, now
		return s.Store.AddCaseEvent(ctx, tx, id, *e)
	})
	return c, changed, err
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
