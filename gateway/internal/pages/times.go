package pages

import (
	"fmt"
	"html/template"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// Times are drawn in UTC; where scripts run, those with a form are drawn again
// in the reader's own zone.

// clock is a time that was promised: the reader's zone, and the date when it is
// not today's. It is rounded up: "by 14:06" must not come before the moment.
func clock(t, now time.Time) template.HTML {
	t = roundUp(t)
	shown := hours(t)
	if !sameDay(t, now) {
		shown = plain(text.Date.Moment, map[string]string{"day": date(text.Date.DayWithoutYear, t), "clock": shown})
	}
	return timeTag(t, "clock", shown)
}

// moment is when something was.
func moment(t *timestamppb.Timestamp) template.HTML {
	if t == nil {
		return ""
	}
	at := t.AsTime().UTC()
	return timeTag(at, "moment", plain(text.Date.Moment, map[string]string{"day": date(text.Date.Day, at), "clock": hours(at)}))
}

// day is a date as the mails name it: it is not moved to the reader's zone.
func day(t *timestamppb.Timestamp) template.HTML {
	if t == nil {
		return ""
	}
	at := t.AsTime().UTC()
	return timeTag(at, "day", date(text.Date.Day, at))
}

func timeTag(t time.Time, form, shown string) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-form="%s">%s</time>`, t.UTC().Format(time.RFC3339), form, template.HTMLEscapeString(shown)))
}

func hours(t time.Time) string {
	return plain(text.Date.Clock, map[string]string{"hour": t.Format("15"), "minute": t.Format("04")})
}

func date(form string, t time.Time) string {
	return plain(form, map[string]string{"day": strconv.Itoa(t.Day()), "month": text.Date.Months[t.Month()-1], "year": strconv.Itoa(t.Year())})
}

func roundUp(t time.Time) time.Time {
	return t.UTC().Add(time.Minute - time.Nanosecond).Truncate(time.Minute)
}

func sameDay(a, b time.Time) bool {
	return a.UTC().Format(time.DateOnly) == b.UTC().Format(time.DateOnly)
}
