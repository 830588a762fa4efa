package watch

import (
	"testing"
	"time"
)

func TestAWatchTellsOnceThatItStoppedAndOnceThatItWorks(t *testing.T) {
	const limit = 6 * time.Minute
	start := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	minute := func(n int) *time.Time { at := start.Add(time.Duration(n) * time.Minute); return &at }
	var w Watch
	for _, look := range []struct {
		at     int
		worked *time.Time
		want   News
	}{
		{0, nil, Nothing},                    // it may never have worked
		{2, minute(-500), Nothing},           // long ago, but nobody watched then
		{4, minute(3), Nothing},              // works
		{6, nil, Nothing}, {9, nil, Nothing}, // cannot be asked, within the limit
		{10, minute(3), Stopped},               // seven minutes
		{12, nil, Nothing}, {14, nil, Nothing}, // told once
		{100, nil, Nothing}, {103, nil, Nothing}, {107, nil, Nothing}, // we slept; it is told already
		{108, minute(107), Works},
		{110, minute(109), Nothing}, {112, minute(109), Nothing},
		{200, minute(109), Nothing}, // we slept
		{204, minute(109), Nothing}, {207, minute(109), Stopped},
	} {
		var got News
		if w, got = w.Look(*minute(look.at), look.worked, limit); got != look.want {
			t.Errorf("minute %d: %q, want %q", look.at, got, look.want)
		}
	}
}
