package incident

import (
	"testing"
	"time"
)

func TestQuietHours(t *testing.T) {
	night, err := ParseQuiet("22:00-07:00 Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	noon, err := ParseQuiet("12:00-13:00")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		quiet    Quiet
		at, want string
	}{
		{night, "2027-01-10T20:59:00Z", "2027-01-10T20:59:00Z"},
		{night, "2027-01-10T21:00:00Z", "2027-01-11T06:00:00Z"},
		{night, "2027-01-11T05:59:59Z", "2027-01-11T06:00:00Z"},
		{night, "2027-01-11T06:00:00Z", "2027-01-11T06:00:00Z"},
		{night, "2027-03-27T23:00:00Z", "2027-03-28T05:00:00Z"}, // the clock goes forward in that night
		{night, "2027-10-30T21:00:00Z", "2027-10-31T06:00:00Z"}, // and back
		{noon, "2027-01-10T11:59:00Z", "2027-01-10T11:59:00Z"},
		{noon, "2027-01-10T12:30:00Z", "2027-01-10T13:00:00Z"},
		{Quiet{}, "2027-01-10T03:00:00Z", "2027-01-10T03:00:00Z"},
	} {
		at, _ := time.Parse(time.RFC3339, tt.at)
		if got := tt.quiet.End(at).UTC().Format(time.RFC3339); got != tt.want {
			t.Errorf("at %s: until %s, want %s", tt.at, got, tt.want)
		}
	}
	for _, bad := range []string{"22-7", "22:00", "22:00-22:00", "22:00-07:00 Nowhere/City", "25:00-07:00", "22:00-07:00 Local"} {
		if _, err := ParseQuiet(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestWhatAChannelMustHear(t *testing.T) {
	start := time.Date(2027, 1, 10, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { v := start.Add(d); return &v }
	quiet, err := ParseQuiet("12:30-14:00")
	if err != nil {
		t.Fatal(err)
	}
	page := Incident{Tier: PageNow, News: 1, NewsAt: start, Version: 1}
	day := Incident{Tier: SameDay, News: 1, NewsAt: start, Version: 1}
	with := func(i Incident, change func(*Incident)) Incident { change(&i); return i }
	over := func(i *Incident) { i.ResolvedAt = at(time.Minute) }
	heard := Told{News: 1, Version: 1, At: at(0)}
	for name, tt := range map[string]struct {
		i         Incident
		t         Told
		canUpdate bool
		now       time.Duration
		act       Act
		at        time.Duration
	}{
		"pages at once":                         {page, Told{}, true, 0, Announce, 0},
		"pages in quiet hours":                  {page, Told{}, true, time.Hour, Announce, 0},
		"settles first":                         {day, Told{}, true, 0, Wait, time.Minute},
		"is told when it settled":               {day, Told{}, true, time.Minute, Announce, 0},
		"waits for the end of the quiet hours":  {day, Told{}, true, time.Hour, Wait, 2 * time.Hour},
		"is told after them":                    {day, Told{}, true, 2 * time.Hour, Announce, 0},
		"what is acknowledged is not announced": {with(day, func(i *Incident) { i.AcknowledgedNews = 1 }), Told{}, true, 2 * time.Hour, Rest, 0},
		"what is snoozed waits":                 {with(page, func(i *Incident) { i.SnoozedUntil = at(time.Hour) }), Told{}, true, 0, Wait, time.Hour},
		"was never told and is over":            {with(page, over), Told{}, true, time.Hour, Rest, 0},
		"is over":                               {with(page, over), heard, true, time.Hour, Close, 0},
		"is over in quiet hours":                {with(day, over), heard, true, time.Hour, Wait, 2 * time.Hour},
		"heard all":                             {page, heard, true, time.Hour, Rest, 0},
		"heard that it is over":                 {with(page, over), Told{News: 1, Closed: true}, true, time.Hour, Rest, 0},
		"changed":                               {with(page, func(i *Incident) { i.Version = 2 }), heard, true, time.Hour, Update, 0},
		"changed just now":                      {with(page, func(i *Incident) { i.Version = 2 }), heard, true, time.Second, Wait, time.Minute},
		"changed, and cannot be edited":         {with(page, func(i *Incident) { i.Version = 2 }), heard, false, time.Hour, Rest, 0},
		"got worse":                             {with(page, func(i *Incident) { i.News = 2 }), heard, true, time.Second, Again, 0},
		"got worse, and somebody knows":         {with(page, func(i *Incident) { i.News, i.AcknowledgedNews = 2, 1 }), heard, true, time.Second, Again, 0},
		"failed before":                         {page, Told{RetryAt: at(time.Hour)}, true, time.Minute, Wait, time.Hour},
		"a digest":                              {Incident{Tier: Digest, News: 1, ResolvedAt: at(0)}, Told{}, false, time.Hour, Announce, 0},
		"a digest that was told":                {Incident{Tier: Digest, News: 1, ResolvedAt: at(0)}, Told{News: 1, Closed: true}, false, time.Hour, Rest, 0},
	} {
		act, until := tt.i.Next(tt.t, tt.canUpdate, quiet, start.Add(tt.now))
		if act != tt.act || act == Wait && !until.Equal(start.Add(tt.at)) {
			t.Errorf("%s: %s %s, want %s %s", name, act, until, tt.act, start.Add(tt.at))
		}
	}
}
