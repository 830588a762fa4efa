// Package watch is the rule of the dead-man's switch: when reconciliation is taken
// to have stopped, and when to work again. It knows no database and no network.
package watch

import "time"

// Watch is what is known of something that must happen again and again.
type Watch struct {
	// LookedAt is the last look; nil before the first.
	LookedAt *time.Time
	// WatchedSince is since when there was no gap in the looks.
	WatchedSince *time.Time
	// WorkedAt is when it last happened; nil when that was never seen.
	WorkedAt *time.Time
	// StoppedSince is set while it is taken to have stopped: since when.
	StoppedSince *time.Time
}

// Look is the watch after a look at now; StoppedSince says what came of it. worked is
// when the thing last happened, nil when nobody could say; limit is how long it may
// stay away. Time in which nobody looked does not count: whoever was asleep cannot know.
// What is later than now is of a clock that was ahead, and counts as now: it must not hide
// for as long as it was ahead that nothing works.
func (w Watch) Look(now time.Time, worked *time.Time, limit time.Duration) Watch {
	for _, at := range []**time.Time{&w.WatchedSince, &w.WorkedAt, &w.StoppedSince, &worked} {
		if *at != nil && (*at).After(now) {
			*at = &now
		}
	}
	if w.LookedAt == nil || w.WatchedSince == nil || now.Sub(*w.LookedAt) > limit {
		w.WatchedSince = &now
	}
	w.LookedAt = &now
	if worked != nil && (w.WorkedAt == nil || worked.After(*w.WorkedAt)) {
		w.WorkedAt = worked
	}
	since := *w.WatchedSince
	if w.WorkedAt != nil && w.WorkedAt.After(since) {
		since = *w.WorkedAt
	}
	switch {
	case w.StoppedSince == nil && now.Sub(since) > limit:
		w.StoppedSince = &since
	case w.StoppedSince != nil && w.WorkedAt != nil && w.WorkedAt.After(*w.StoppedSince) && now.Sub(*w.WorkedAt) <= limit:
		w.StoppedSince = nil
	}
	return w
}
