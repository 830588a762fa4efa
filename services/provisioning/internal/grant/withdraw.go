package grant

import (
	"time"

	"github.com/google/uuid"
)

// Stretch is time with access.
type Stretch struct {
	Starts time.Time
	// Ends is the first moment without access.
	Ends time.Time
}

// Stretch is when the grant gives access.
func (g Grant) Stretch() *Stretch { return &Stretch{Starts: g.StartsAt, Ends: g.EndsAt} }

// left is what there is of the grant from then on; nil for nothing.
func (g Grant) left(from time.Time) *Stretch {
	if !g.EndsAt.After(from) {
		return nil
	}
	return &Stretch{Starts: later(from, g.StartsAt), Ends: g.EndsAt}
}

// NeverGranted stands for the grant of an order that was withdrawn before it got
// one: it belongs to no account.
func NeverGranted(orderID uuid.UUID, at time.Time) Grant {
	return Grant{OrderID: orderID, WithdrawnAt: &at, RevokedAt: &at}
}

// Withdraw takes what is left of the grant from now on.
func (g Grant) Withdraw(now time.Time) Grant {
	g.WithdrawnAt = &now
	if g.RevokedAt == nil {
		g.RevokedAt = &now
	}
	return g
}

// Withdrawn is what the withdrawal took; nil when nothing was left by then.
func (g Grant) Withdrawn() *Stretch {
	if g.WithdrawnAt == nil || g.EndedAt != nil {
		return nil
	}
	return g.left(*g.WithdrawnAt)
}

// Restore undoes a withdrawal: as much as it took is given again, from the later
// of now and currentEnd. currentEnd is nil when the account has nothing. A term
// that had not begun is the same calendar months again.
func (g Grant) Restore(now time.Time, currentEnd *time.Time) Grant {
	lost := g.Withdrawn()
	g.WithdrawnAt, g.RevokedAt = nil, g.EndedAt
	if lost == nil {
		return g
	}
	if g.Length == Period || lost.Starts.After(g.StartsAt) {
		g.StartsAt, g.Length = lost.Starts, Time
	}
	starts := now
	if currentEnd != nil {
		starts = later(now, *currentEnd)
	}
	return g.startingAt(starts)
}

// End takes what is left of the grant because its subscription is over, and says
// what that was; nil for nothing.
func (g Grant) End(now time.Time) (Grant, *Stretch) {
	lost := g.left(now)
	if g.RevokedAt != nil || lost == nil {
		return g, nil
	}
	g.EndedAt, g.RevokedAt = &now, &now
	return g, lost
}

// Resume undoes End, for a subscription that was not over after all.
func (g Grant) Resume() Grant {
	g.EndedAt, g.RevokedAt = nil, g.WithdrawnAt
	return g
}

// MoveForward closes the gap that a grant left which started at `left` and gives
// no more access: of the account's current grants, by start, those that were to
// follow it start at the later of now and the end of the one before. It returns
// those that moved. What runs already and what is a subscription's paid period
// stays.
func MoveForward(now, left time.Time, current []Grant) []Grant {
	var moved []Grant
	free := now // the earliest start that overlaps nothing
	for _, g := range current {
		follows := !g.StartsAt.Before(left) && g.StartsAt.After(now)
		if follows && g.Length != Period && free.Before(g.StartsAt) {
			g = g.startingAt(free)
			moved = append(moved, g)
		}
		free = later(free, g.EndsAt)
	}
	return moved
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
