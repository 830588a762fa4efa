package grant

import (
	"slices"
	"time"
)

// Held is a grant that was not revoked, with what its subscription makes of it.
type Held struct {
	Stretch
	// Subscription is nil for a one-off, and while nothing was heard of it. Of
	// it only Status, Renews and GraceUntil are read.
	Subscription *Subscription
	// Last says that no term of the same subscription ends later. Only the last
	// is extended: what was refunded does not come back as grace.
	Last bool
}

// Access says whether an account that holds these grants may use the product
// now. If so, until is the end of the access without a gap; otherwise it is when
// the last access ended, nil when there was none. grace is for how long a
// subscription is waited for that should have been renewed, and of which neither
// a payment nor a failure is known yet.
func Access(now time.Time, held []Held, grace time.Duration) (active bool, until *time.Time) {
	var known, awaited []Stretch
	for _, h := range held {
		s := h.Stretch
		if h.Subscription == nil {
			known, awaited = append(known, s), append(awaited, s)
			continue
		}
		switch {
		case h.Subscription.Status == Paused:
			continue
		case h.Subscription.Status == PastDue && h.Last:
			s.Ends = later(s.Ends, *h.Subscription.GraceUntil)
		}
		known = append(known, s)
		if h.Subscription.Status == Active && h.Subscription.Renews && h.Last {
			s.Ends = s.Ends.Add(grace)
		}
		awaited = append(awaited, s)
	}
	// The wait counts only once the paid time is over: until then the answer is
	// what was paid for.
	for _, stretches := range [][]Stretch{known, awaited} {
		if end := coveredUntil(now, stretches); end.After(now) {
			return true, &end
		}
	}
	for _, s := range awaited {
		if !s.Ends.After(now) && (until == nil || s.Ends.After(*until)) {
			until = &s.Ends
		}
	}
	return false, until
}

// coveredUntil is the end of the time without a gap from now on; now itself when
// there is none.
func coveredUntil(now time.Time, stretches []Stretch) time.Time {
	slices.SortFunc(stretches, func(a, b Stretch) int { return a.Starts.Compare(b.Starts) })
	end := now
	for _, s := range stretches {
		if !s.Starts.After(end) {
			end = later(end, s.Ends)
		}
	}
	return end
}

// NextChange is the next moment at which Access may answer otherwise by itself;
// nil when it will not.
func NextChange(now time.Time, held []Held, grace time.Duration) (next *time.Time) {
	consider := func(at time.Time) {
		if at.After(now) && (next == nil || at.Before(*next)) {
			next = &at
		}
	}
	for _, h := range held {
		consider(h.Starts)
		consider(h.Ends)
		if h.Subscription == nil {
			continue
		}
		if h.Subscription.GraceUntil != nil {
			consider(*h.Subscription.GraceUntil)
		}
		if h.Subscription.Renews {
			consider(h.Ends.Add(grace))
		}
	}
	return next
}
