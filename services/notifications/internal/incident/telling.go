package incident

import "time"

// Told is what one channel was told of an incident.
type Told struct {
	IncidentID int64
	// Channel is its name: slack, slack-webhook, or of an address.
	Channel string
	// News is the last news it heard; 0 is none. Version is what it shows.
	News, Version int64
	// At is when it was last told something.
	At *time.Time
	// Closed: it heard that the incident is over.
	Closed bool
	// Thread is where at Slack the incident stands; empty before.
	Thread string
	// Begun is when a post was begun whose end is not known; nil when none is.
	Begun *time.Time
	// Failures counts attempts in a row that failed; RetryAt is when the next may be made.
	Failures  int32
	RetryAt   *time.Time
	LastError string
}

// Act is what a channel must be told now.
type Act string

// The acts.
const (
	Rest     Act = "rest" // until something changes
	Wait     Act = "wait" // until a time
	Announce Act = "announce"
	Again    Act = "again" // there is news
	Update   Act = "update"
	Close    Act = "close"
)

const (
	// settles is how long what can wait is left alone before it is told: what heals
	// meanwhile is for the digest, and a storm is told with its number.
	settles = time.Minute
	// updatesApart is the least time between two updates of what a channel shows.
	updatesApart = time.Minute
)

// Next says what a channel must be told at now, or when to ask again. canUpdate: what
// was told there can be changed.
func (i Incident) Next(t Told, canUpdate bool, quiet Quiet, now time.Time) (Act, time.Time) {
	none := time.Time{}
	if t.RetryAt != nil && t.RetryAt.After(now) {
		return Wait, *t.RetryAt
	}
	waitFor := func(act Act, at time.Time) (Act, time.Time) {
		if i.Tier != PageNow {
			at = quiet.End(latest(at, now))
		}
		if at.After(now) {
			return Wait, at
		}
		return act, none
	}
	switch {
	case t.Closed:
		return Rest, none
	case i.Tier == Digest:
		return Announce, none // made when it is to be told
	case i.ResolvedAt != nil && t.News == 0:
		return Rest, none // what nobody heard of need not be taken back
	case i.ResolvedAt != nil:
		return waitFor(Close, now)
	case i.News > t.News && i.News > i.AcknowledgedNews:
		act, at := Again, i.NewsAt
		if t.News == 0 {
			act = Announce
		}
		if i.Tier != PageNow {
			at = at.Add(settles)
		}
		if i.SnoozedUntil != nil {
			at = latest(at, *i.SnoozedUntil)
		}
		return waitFor(act, at)
	case t.News > 0 && canUpdate && i.Version > t.Version:
		if at := t.At.Add(updatesApart); at.After(now) {
			return Wait, at
		}
		return Update, none
	case i.SnoozedUntil != nil:
		return Wait, *i.SnoozedUntil
	default:
		return Rest, none
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
