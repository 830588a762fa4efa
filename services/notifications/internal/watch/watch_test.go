package watch

import (
	"testing"
	"time"
)

func TestAWatchSaysWhileItIsStopped(t *testing.T) {
	const limit = 6 * time.Minute
	start := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	minute := func(n int) *time.Time { at := start.Add(time.Duration(n) * time.Minute); return &at }
	var w Watch
	for _, look := range []struct {
		at      int
		worked  *time.Time
		stopped bool
	}{
		{0, nil, false},                  // it may never have worked
		{2, minute(-500), false},         // long ago, but nobody watched then
		{4, minute(3), false},            // works
		{6, nil, false}, {9, nil, false}, // cannot be asked, within the limit
		{10, minute(3), true}, // seven minutes
		{12, nil, true}, {14, nil, true},
		{100, nil, true}, {103, nil, true}, {107, nil, true}, // we slept; it is still so
		{108, minute(107), false},
		{110, minute(109), false}, {112, minute(109), false},
		{200, minute(109), false}, // we slept
		{204, minute(109), false}, {207, minute(109), true},
	} {
		if w = w.Look(*minute(look.at), look.worked, limit); (w.StoppedSince != nil) != look.stopped {
			t.Errorf("minute %d: stopped since %v, want %t", look.at, w.StoppedSince, look.stopped)
		}
	}
}
