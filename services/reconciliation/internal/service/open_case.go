package service

import (
	"context"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/reconciliation/internal/cases"
)

// OpenCase keeps something that a machine has given up on for a person.
// Reported again while open, it is the same case, with the newer summary; a report
// that says something new wakes it.
func (s *Service) OpenCase(ctx context.Context, kind cases.Kind, subject, summary string) (c cases.Case, err error) {
	err = s.Store.InTx(ctx, func(tx pgx.Tx) (err error) {
		for range openTries {
			var done bool
			if c, done, err = s.openOrReport(ctx, tx, kind, subject, summary); done || err != nil {
				return err
			}
		}
		return cases.ErrResolved
	})
	if err == nil && c.ReportedCount == 1 {
		s.Log.WarnContext(ctx, "case opened", "case_id", c.ID, "kind", c.Kind, "subject", c.Subject)
	}
	return c, err
}

// openTries bounds how often a case that others open and close at the same moment
// is looked for.
const openTries = 5

func (s *Service) openOrReport(ctx context.Context, tx pgx.Tx, kind cases.Kind, subject, summary string) (c cases.Case, done bool, err error) {
	now := s.now()
	known, open, err := s.Store.LockOpenCase(ctx, tx, kind, subject)
	if err != nil {
		return c, false, err
	}
	if !open {
		c, done, err = s.Store.InsertCase(ctx, tx, kind, subject, summary, now)
		if err != nil || !done { // somebody else opened it at this moment
			return c, false, err
		}
		return c, true, s.Store.AddCaseEvent(ctx, tx, c.ID, cases.Event{What: cases.Opened, Actor: cases.System, Note: summary, At: now})
	}
	news := !known.SaysTheSame(summary)
	wakes := news && known.SnoozedUntil != nil
	if c, err = s.Store.ReportCase(ctx, tx, known.ID, summary, news, now); err != nil || !news {
		return c, true, err
	}
	if err = s.Store.AddCaseEvent(ctx, tx, c.ID, cases.Event{What: cases.Reported, Actor: cases.System, Note: summary, At: now}); err != nil || !wakes {
		return c, true, err
	}
	return c, true, s.Store.AddCaseEvent(ctx, tx, c.ID, cases.Event{What: cases.Woken, Actor: cases.System, Note: "reported with something new", At: now})
}
