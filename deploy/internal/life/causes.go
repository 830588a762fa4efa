package life

import "time"

// endingNotice is how long before its end people are told that access ends.
const endingNotice = 7 * 24 * time.Hour

// causes are the reasons for which a subscriber may be written to. Each may be
// told once; those that must have been known must have been told.
type causes struct {
	may, must map[cause]bool
}

// cause is a kind of mail, and what it is about.
type cause struct{ kind, about string }

func newCauses() causes { return causes{map[cause]bool{}, map[cause]bool{}} }

// note adds what a view gives reason to say.
func (c causes) note(v *view, now time.Time) {
	add := func(kind, about string, must bool) {
		c.may[cause{kind, about}] = true
		if must {
			c.must[cause{kind, about}] = true
		}
	}
	known := !v.knownBy.IsZero()
	if v.unpaid.asked {
		add("action_required", v.unpaid.invoice, known)
	} else if v.unpaid.invoice != "" {
		add("payment_failed", v.unpaid.invoice, known)
	}
	if len(v.terms) == 0 || v.ended() {
		return
	}
	end := v.terms[len(v.terms)-1].ends
	switch {
	case v.status == pastDue:
		add("access_ending", "overdue "+v.overdue.Format(stamp), false)
	case v.status == active && !v.renews && now.After(end.Add(-endingNotice)) && now.Before(end):
		add("access_ending", "end "+end.Format(time.DateOnly), known && now.After(end.Add(-endingNotice+lookAtLatest+slack)))
	}
}

// most and least are how many mails of a kind are right.
func (c causes) most(kind string) (n int) {
	for x := range c.may {
		if x.kind == kind {
			n++
		}
	}
	return n
}

func (c causes) least(kind string) (n int) {
	for x := range c.must {
		if x.kind == kind {
			n++
		}
	}
	return n
}
