// Package incident is what the team is told of: one incident per problem, from its
// opening until it is over, and when which channel must hear what of it. It knows no
// database and no network.
package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// ErrNotFound says that no incident is open under that key.
var ErrNotFound = apperr.New(codes.NotFound, "INCIDENT_NOT_FOUND", "no incident is open under this key")

// Tier is how soon somebody must hear.
type Tier string

// The tiers. A digest is no problem: it is told once, and over when it is made.
const (
	PageNow Tier = "PAGE_NOW"
	SameDay Tier = "SAME_DAY"
	Digest  Tier = "DIGEST"
)

// Item is one of the things that an incident is about.
type Item struct {
	Text string `json:"text"`
	// Path is the console's page of it; may be empty.
	Path string `json:"path,omitempty"`
}

// Words are what is said of an incident. They are kept as JSON.
type Words struct {
	Title    string `json:"title"`
	Meaning  string `json:"meaning,omitempty"`
	NextStep string `json:"next_step,omitempty"`
	Items    []Item `json:"items,omitempty"`
}

func (w Words) same(o Words) bool {
	return w.Title == o.Title && w.Meaning == o.Meaning && w.NextStep == o.NextStep && slices.Equal(w.Items, o.Items)
}

// Report is how one problem stands now.
type Report struct {
	Key   string
	Tier  Tier
	Words Words
	// Count is how many things it is about.
	Count int64
	// Since is since when there is a problem; nil is since it was first reported.
	Since *time.Time
	// NewestAt is when the newest of the things came; nil when they do not come one by one.
	NewestAt *time.Time
}

// Incident is one problem.
type Incident struct {
	ID     int64
	Key    string
	Source string
	Tier   Tier
	Words  Words
	Count  int64
	// Version grows with each change of what can be told.
	Version int64
	// News counts what everybody must hear: the opening is 1, and each time that it
	// became worse is one more. NewsCount is how many things there were then.
	News      int64
	NewsAt    time.Time
	NewsCount int64
	// NewsWhy says why it is told again; empty for the opening.
	NewsWhy    string
	OpenedAt   time.Time
	ChangedAt  time.Time
	ResolvedAt *time.Time
	// AcknowledgedBy looks after it; AcknowledgedNews is the last news that they saw.
	AcknowledgedBy   string
	AcknowledgedAt   *time.Time
	AcknowledgedNews int64
	// SnoozedUntil keeps it quiet.
	SnoozedUntil *time.Time
	Events       []Event
	Channels     []Told
}

// What happened to an incident.
const (
	Opened       = "opened"
	Worse        = "worse"
	Acknowledged = "acknowledged"
	Snoozed      = "snoozed"
	Woken        = "woken"
	Resolved     = "resolved"
)

// System is the actor of what no person did.
const System = "system"

// Event is one entry of an incident's history.
type Event struct {
	What  string
	Actor string
	Note  string
	At    time.Time
}

// Open makes an incident of its first report.
func Open(source string, r Report, now time.Time) (Incident, Event) {
	since := now
	if r.Since != nil && r.Since.Before(now) {
		since = *r.Since
	}
	return Incident{
		Key: r.Key, Source: source, Tier: r.Tier, Words: r.Words, Count: r.Count, Version: 1,
		News: 1, NewsAt: now, NewsCount: r.Count, OpenedAt: since, ChangedAt: now,
	}, Event{What: Opened, Actor: System, Note: r.Words.Title, At: now}
}

// tenfold is how much an incident must grow to be told again.
const tenfold = 10

// apart is how long after the last word things that came since are told: what goes on
// for days must not hide what is new in it.
func (t Tier) apart() time.Duration {
	if t == PageNow {
		return time.Hour
	}
	return 12 * time.Hour
}

// Stand is the incident after a report, and what happened; nil when nobody must hear.
func (i Incident) Stand(r Report, now time.Time) (Incident, *Event) {
	was := i
	i.Tier, i.Words, i.Count = r.Tier, r.Words, r.Count
	if i.Tier != was.Tier || i.Count != was.Count || !i.Words.same(was.Words) {
		i.Version, i.ChangedAt = i.Version+1, now
	}
	why := ""
	switch {
	case was.Tier != PageNow && r.Tier == PageNow:
		why = "it cannot wait any more"
	case r.Count >= tenfold*was.NewsCount:
		why = fmt.Sprintf("it grew from %d to %d", was.NewsCount, r.Count)
	case r.NewestAt != nil && r.NewestAt.After(was.NewsAt) && now.Sub(was.NewsAt) >= r.Tier.apart():
		why = "more came since it was last told"
	default:
		return i, nil
	}
	return i.tellAgain(Worse, why, now)
}

// tellAgain has everybody hear of it once more: whoever looks after it, too.
func (i Incident) tellAgain(what, why string, now time.Time) (Incident, *Event) {
	i.News, i.NewsAt, i.NewsCount, i.NewsWhy = i.News+1, now, i.Count, why
	i.Version, i.ChangedAt = i.Version+1, now
	i.AcknowledgedBy, i.AcknowledgedAt, i.SnoozedUntil = "", nil, nil
	return i, &Event{What: what, Actor: System, Note: why, At: now}
}

// Wake tells again of an incident whose snooze is over; nil when it is not.
func (i Incident) Wake(now time.Time) (Incident, *Event) {
	if i.ResolvedAt != nil || i.SnoozedUntil == nil || i.SnoozedUntil.After(now) {
		return i, nil
	}
	return i.tellAgain(Woken, "it was snoozed until now, and is not over", now)
}

// Resolve is the incident when its problem has gone away.
func (i Incident) Resolve(now time.Time) (Incident, *Event) {
	i.ResolvedAt, i.SnoozedUntil = &now, nil
	i.Version, i.ChangedAt = i.Version+1, now
	return i, &Event{What: Resolved, Actor: System, At: now}
}

// Acknowledge is the incident when somebody looks after it; no event when they do
// already.
func (i Incident) Acknowledge(actor, note string, now time.Time) (Incident, *Event) {
	if i.AcknowledgedBy == actor && i.AcknowledgedNews == i.News {
		return i, nil
	}
	i.AcknowledgedBy, i.AcknowledgedAt, i.AcknowledgedNews = actor, &now, i.News
	i.Version, i.ChangedAt = i.Version+1, now
	return i, &Event{What: Acknowledged, Actor: actor, Note: note, At: now}
}

// snoozeMax bounds how long an incident can be kept quiet.
const snoozeMax = 7 * 24 * time.Hour

// Snooze is the incident when somebody keeps it quiet until a time; no event when it
// is already.
func (i Incident) Snooze(actor string, until time.Time, reason string, now time.Time) (Incident, *Event, error) {
	switch {
	case !until.After(now):
		return i, nil, apperr.Invalid("until", "is not in the future")
	case until.Sub(now) > snoozeMax:
		return i, nil, apperr.Invalid("until", "is more than a week away")
	case i.SnoozedUntil != nil && i.SnoozedUntil.Equal(until):
		return i, nil, nil
	}
	i.SnoozedUntil = &until
	i.Version, i.ChangedAt = i.Version+1, now
	return i, &Event{What: Snoozed, Actor: actor, Note: "until " + Spoken(until) + ": " + reason, At: now}, nil
}

// MakeDigest is a digest: over when it is made, and told once all the same.
func MakeDigest(key string, w Words, now time.Time) (Incident, Event) {
	i, e := Open("digest", Report{Key: key, Tier: Digest, Words: w, Count: 1}, now)
	i.ResolvedAt = &now
	return i, e
}

// Spoken is a time as people of the team read it.
func Spoken(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// OneLine is a title fit for a subject line.
func OneLine(title string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, title)), " ")
}
