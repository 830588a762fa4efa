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
