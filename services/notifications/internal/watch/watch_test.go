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

// A clock that was an hour ahead, and is put right, hides for no longer than the limit that
// nothing works, and tells of nothing that does.
func TestAWatchWhoseClockIsPutBack(t *testing.T) {
	const limit = 6 * time.Minute
	start := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	minute := func(n int) *time.Time { at := start.Add(time.Duration(n) * time.Minute); return &at }
	type look struct {
		at      int
		worked  *time.Time
		stopped bool
	}
	for name, looks := range map[string][]look{
		"it works on":               {{98, minute(97), false}, {40, minute(97), false}, {42, minute(41), false}, {44, minute(43), false}},
		"it stops after that":       {{98, minute(97), false}, {40, minute(97), false}, {42, minute(41), false}, {45, minute(41), false}, {48, minute(41), true}, {50, minute(49), false}},
		"it cannot be asked":        {{98, minute(97), false}, {40, nil, false}, {44, nil, false}, {47, nil, true}},
		"it had stopped":            {{90, minute(89), false}, {94, nil, false}, {98, nil, true}, {40, nil, true}, {42, minute(41), false}},
		"only the other's is ahead": {{40, minute(100), false}, {44, minute(104), false}, {46, minute(44), false}, {51, minute(44), true}},
	} {
		var w Watch
		for _, look := range looks {
			if w = w.Look(*minute(look.at), look.worked, limit); (w.StoppedSince != nil) != look.stopped {
				t.Errorf("%s: minute %d: stopped since %v, want %t", name, look.at, w.StoppedSince, look.stopped)
			}
		}
	}
}
