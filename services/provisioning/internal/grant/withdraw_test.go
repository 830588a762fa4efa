package grant

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// TestMoveForwardProperties buys terms at any moments, withdraws one, and looks
// at what became of the others.
func TestMoveForwardProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.UnixMicro(rapid.Int64Range(1_700_000_000_000000, 2_000_000_000_000000).Draw(t, "start")).UTC()
		var grants []Grant
		for range rapid.IntRange(1, 6).Draw(t, "terms") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(300*24*time.Hour)).Draw(t, "wait")))
			g := Grant{OrderID: uuid.New(), TermMonths: rapid.IntRange(1, 12).Draw(t, "months"), Length: Months}
			g.StartsAt, g.EndsAt = Term(now, LatestEnd(grants), g.TermMonths)
			grants = append(grants, g)
		}
		now = now.Add(time.Duration(rapid.Int64Range(0, int64(600*24*time.Hour)).Draw(t, "until the refund")))
		i := rapid.IntRange(0, len(grants)-1).Draw(t, "refunded")
		gone := grants[i]
		if !gone.EndsAt.After(now) {
			return
		}
		rest := slices.DeleteFunc(slices.Delete(slices.Clone(grants), i, i+1), func(g Grant) bool { return !g.EndsAt.After(now) })
		moved := MoveForward(now, gone.StartsAt, rest)

		free := now
		for _, old := range rest {
			g := old
			if at := slices.IndexFunc(moved, func(m Grant) bool { return m.OrderID == old.OrderID }); at >= 0 {
				g = moved[at]
				if old.StartsAt.Before(gone.StartsAt) || !old.StartsAt.After(now) {
					t.Fatalf("a term that was not to follow moved: %+v", old)
				}
			}
			if g.StartsAt.After(old.StartsAt) {
				t.Fatalf("a term moved backward, from %s to %s", old.StartsAt, g.StartsAt)
			}
			if want := AddMonths(g.StartsAt, g.TermMonths); !g.EndsAt.Equal(want) {
				t.Fatalf("%d months from %s end at %s", g.TermMonths, g.StartsAt, g.EndsAt)
			}
			if g.StartsAt.After(free) {
				t.Fatalf("a gap from %s to %s", free, g.StartsAt)
			}
			if g.StartsAt.Before(free) && g.StartsAt.After(now) {
				t.Fatalf("an overlap from %s to %s", g.StartsAt, free)
			}
			free = g.EndsAt
		}
	})
}

func TestAPaidPeriodIsNeverMoved(t *testing.T) {
	now := at(t, "2027-03-10T00:00:00Z")
	current := []Grant{
		{StartsAt: at(t, "2027-03-01T00:00:00Z"), EndsAt: at(t, "2027-04-01T00:00:00Z"), Length: Period, TermMonths: 1},
		{StartsAt: at(t, "2028-01-31T00:00:00Z"), EndsAt: at(t, "2028-02-29T00:00:00Z"), Length: Months, TermMonths: 1},
		{StartsAt: at(t, "2029-01-01T00:00:00Z"), EndsAt: at(t, "2029-02-01T00:00:00Z"), Length: Period, TermMonths: 1},
		{StartsAt: at(t, "2029-02-01T00:00:00Z"), EndsAt: at(t, "2029-02-11T00:00:00Z"), Length: Time, TermMonths: 1},
	}
	moved := MoveForward(now, now, current)
	if len(moved) != 1 || !moved[0].StartsAt.Equal(current[0].EndsAt) || !moved[0].EndsAt.Equal(at(t, "2027-05-01T00:00:00Z")) {
		t.Errorf("moved %+v", moved)
	}
}
