package incident

import (
	"errors"
	"strings"
	"time"
	_ "time/tzdata" // a machine may have no time zones of its own
)

// Quiet are the hours in which only what cannot wait is told; the zero Quiet has none.
type Quiet struct {
	// from and until are minutes of the day in zone; equal is never.
	from, until int
	zone        *time.Location
}

// ParseQuiet reads "22:00-07:00 Europe/Berlin"; without a zone it is UTC.
func ParseQuiet(text string) (Quiet, error) {
	hours, zone, _ := strings.Cut(strings.TrimSpace(text), " ")
	from, until, ok := strings.Cut(hours, "-")
	start, err1 := time.Parse("15:04", from)
	end, err2 := time.Parse("15:04", until)
	location, err3 := time.LoadLocation(strings.TrimSpace(zone))
	if !ok || err1 != nil || err2 != nil {
		return Quiet{}, errors.New("must have the form 22:00-07:00 Europe/Berlin")
	}
	if err3 != nil || location == time.Local {
		return Quiet{}, errors.New("names a time zone that is not known here")
	}
	if start.Equal(end) {
		return Quiet{}, errors.New("begins when it ends")
	}
	minutes := func(t time.Time) int { return t.Hour()*60 + t.Minute() }
	return Quiet{from: minutes(start), until: minutes(end), zone: location}, nil
}

// End is when it is not quiet any more at or after t: t itself when it is not quiet.
func (q Quiet) End(t time.Time) time.Time {
	if q.zone == nil {
		return t
	}
	local := t.In(q.zone)
	minute := local.Hour()*60 + local.Minute()
	day := local
	switch {
	case q.from < q.until && minute >= q.from && minute < q.until:
	case q.from > q.until && minute >= q.from:
		day = day.AddDate(0, 0, 1)
	case q.from > q.until && minute < q.until:
	default:
		return t
	}
	return q.Morning(day)
}

// morningDefault is when the morning begins where no quiet hours are set.
const morningDefault = 7 * 60

// Zone is where the team lives.
func (q Quiet) Zone() *time.Location {
	if q.zone == nil {
		return time.UTC
	}
	return q.zone
}

// Morning is when the quiet hours of a day end, or seven o'clock without them.
func (q Quiet) Morning(day time.Time) time.Time {
	minute := morningDefault
	if q.zone != nil {
		minute = q.until
	}
	y, m, d := day.In(q.Zone()).Date()
	return time.Date(y, m, d, minute/60, minute%60, 0, 0, q.Zone())
}
