package grant

import "time"

// Term is when access for some months runs: from now, or from the end of what
// the account already has, so that buying early loses nothing. currentEnd is
// nil when it has nothing.
func Term(now time.Time, currentEnd *time.Time, months int) (starts, ends time.Time) {
	starts = now
	if currentEnd != nil && currentEnd.After(now) {
		starts = *currentEnd
	}
	return starts, AddMonths(starts, months)
}

// Length says how a grant's end follows from its start.
type Length string

const (
	// Months are calendar months.
	Months Length = "MONTHS"
	// Period is what was paid of a subscription: it stands where it is.
	Period Length = "PERIOD"
	// Time is what was left of a term that was withdrawn and restored: the same
	// span wherever it starts.
	Time Length = "TIME"
)

// startingAt is the grant as it is when it starts then.
func (g Grant) startingAt(starts time.Time) Grant {
	if g.Length == Months {
		g.StartsAt, g.EndsAt = starts, AddMonths(starts, g.TermMonths)
	} else {
		g.StartsAt, g.EndsAt = starts, starts.Add(g.EndsAt.Sub(g.StartsAt))
	}
	return g
}

// LatestEnd is the end of what the account has by these grants; nil for none.
func LatestEnd(current []Grant) *time.Time {
	var latest *time.Time
	for _, g := range current {
		if latest == nil || g.EndsAt.After(*latest) {
			latest = &g.EndsAt
		}
	}
	return latest
}

// AddMonths is calendar arithmetic in UTC: the same day and time so many months
// later, or the last day of that month when it has no such day. (time.AddDate
// would turn January 31 plus one month into a day in March.)
func AddMonths(t time.Time, months int) time.Time {
	t = t.UTC()
	firstOfMonth := time.Date(t.Year(), t.Month()+time.Month(months), 1,
		t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	lastDay := firstOfMonth.AddDate(0, 1, -1).Day()
	return firstOfMonth.AddDate(0, 0, min(t.Day(), lastDay)-1)
}
