package grant

import (
	"testing"
	"time"
)

func TestAccess(t *testing.T) {
	const grace = 7 * 24 * time.Hour
	now := at(t, "2027-03-10T00:00:00Z")
	day := func(n int) time.Time { return now.AddDate(0, 0, n) }
	until, over := day(3), day(-1)
	pastDue := &Subscription{Status: PastDue, Renews: true, GraceUntil: &until}
	renewing, leaving, paused := &Subscription{Status: Active, Renews: true}, &Subscription{Status: Active}, &Subscription{Status: Paused}
	held := func(from, to int, s *Subscription) Held {
		return Held{Stretch: Stretch{day(from), day(to)}, Subscription: s, Last: true}
	}
	former := held(-60, -30, pastDue)
	former.Last = false
	for name, c := range map[string]struct {
		held   []Held
		active bool
		until  int // days from now; 99 for none
	}{
		"nothing":                           {nil, false, 99},
		"over":                              {[]Held{held(-60, -40, nil), held(-30, -10, nil)}, false, -10},
		"over to the moment":                {[]Held{held(-60, 0, nil)}, false, 0},
		"from this moment":                  {[]Held{held(0, 5, nil)}, true, 5},
		"not yet":                           {[]Held{held(2, 5, nil)}, false, 99},
		"terms in a row":                    {[]Held{held(5, 9, nil), held(-5, 5, nil)}, true, 9},
		"overlapping":                       {[]Held{held(-5, 9, nil), held(-3, 4, leaving), held(8, 12, nil)}, true, 12},
		"a gap ahead":                       {[]Held{held(-5, 5, nil), held(6, 9, nil)}, true, 5},
		"past due, in grace":                {[]Held{held(-30, -1, pastDue)}, true, 3},
		"past due, in grace, more follows":  {[]Held{held(-30, -1, pastDue), held(2, 9, nil)}, true, 9},
		"past due, but the term still runs": {[]Held{held(-30, 8, pastDue)}, true, 8},
		"past due, grace is over":           {[]Held{held(-30, -5, &Subscription{Status: PastDue, GraceUntil: &over})}, false, -1},
		"past due, an earlier term":         {[]Held{former}, false, -30},
		"renewal awaited":                   {[]Held{held(-30, -1, renewing)}, true, 6},
		"renewal awaited in vain":           {[]Held{held(-30, -7, renewing)}, false, 0},
		"renewing, but the term still runs": {[]Held{held(-30, 5, renewing)}, true, 5},
		"canceled at the end of the period": {[]Held{held(-30, -1, leaving)}, false, -1},
		"paused":                            {[]Held{held(-30, 5, paused)}, false, 99},
		"paused beside a one-off":           {[]Held{held(-30, 5, paused), held(-1, 2, nil)}, true, 2},
	} {
		active, got := Access(now, c.held, grace)
		want := day(c.until)
		if active != c.active || (got == nil) != (c.until == 99) || (got != nil && !got.Equal(want)) {
			t.Errorf("%s: %t until %v, want %t until %s", name, active, got, c.active, want)
		}
	}
}
