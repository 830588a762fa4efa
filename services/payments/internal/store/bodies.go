package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/store/db"
)

// bodyPage is how many rows of the ledger one transaction of the walk looks at.
const bodyPage = 500

// BodyWalk is one step of the walk that moves the bodies of events at rest.
type BodyWalk struct {
	// Moved are the bodies that left the ledger's rows, Dropped the months that went.
	Moved   int64
	Dropped []string
	// Ended: this walk came to its end.
	Ended bool
}

// ClaimBodyWalk takes the next step of the walk, when it is due.
func (s *Store) ClaimBodyWalk(ctx context.Context, now, leaseUntil time.Time) ([]bool, error) {
	return s.q().ClaimBodyWalk(ctx, db.ClaimBodyWalkParams{Now: now, LeaseUntil: leaseUntil})
}

// WalkBodies takes one step: a page of the events received before a time. Their bodies
// move to the month in which they came, or go when that began before keptSince. At the
// end, what is older goes by whole months, and the next walk begins at nextWalk.
func (s *Store) WalkBodies(ctx context.Context, before, keptSince, now, nextWalk time.Time) (w BodyWalk, err error) {
	month := firstOfMonth(keptSince)
	err = s.InTx(ctx, func(tx pgx.Tx) error {
		q := db.New(tx)
		w = BodyWalk{}
		at, err := q.LockBodyWalk(ctx)
		if err != nil {
			return err
		}
		after, afterEvent := time.Unix(0, 0).UTC(), ""
		if at.AtTime != nil {
			after, afterEvent = *at.AtTime, *at.AtEvent
		}
		page, err := q.BodyPage(ctx, db.BodyPageParams{AfterTime: after, AfterEvent: afterEvent, Before: before, RowLimit: bodyPage})
		if errors.Is(err, pgx.ErrNoRows) {
			w.Ended = true
			if w.Dropped, err = q.DropBodyMonths(ctx, month); err != nil {
				return err
			}
			return q.PutBodyWalk(ctx, db.PutBodyWalkParams{LookAgainAt: nextWalk, EndedAt: &now})
		}
		if err != nil {
			return err
		}
		for m := firstOfMonth(page.FirstAt); !m.After(page.LastAt); m = m.AddDate(0, 1, 0) {
			if m.Before(month) {
				continue
			}
			if err := q.OpenBodyMonth(ctx, m); err != nil {
				return err
			}
		}
		if w.Moved, err = q.MoveBodies(ctx, db.MoveBodiesParams{
			AfterTime: after, AfterEvent: afterEvent, LastTime: page.LastAt, LastEvent: page.LastEvent, KeptSince: month,
		}); err != nil {
			return err
		}
		return q.PutBodyWalk(ctx, db.PutBodyWalkParams{LookAgainAt: now, AtTime: &page.LastAt, AtEvent: &page.LastEvent})
	})
	return w, err
}

func firstOfMonth(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}
