package grant

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAddMonths(t *testing.T) {
	for _, c := range []struct {
		from   string
		months int
		want   string
	}{
		{"2028-02-29T12:00:00Z", 12, "2029-02-28T12:00:00Z"},
		{"2028-02-29T12:00:00Z", 48, "2032-02-29T12:00:00Z"},
		{"2026-01-31T00:00:00Z", 1, "2026-02-28T00:00:00Z"},
		{"2028-01-31T00:00:00Z", 1, "2028-02-29T00:00:00Z"},
		{"2026-03-31T23:59:59Z", 1, "2026-04-30T23:59:59Z"},
		{"2026-12-31T08:00:00Z", 2, "2027-02-28T08:00:00Z"},
		{"2026-11-21T21:23:00Z", 12, "2027-11-21T21:23:00Z"},
		{"2100-02-28T00:00:00Z", 12, "2101-02-28T00:00:00Z"},
		{"2027-01-01T01:00:00+02:00", 1, "2027-01-31T23:00:00Z"}, // it is still December in UTC
	} {
		if got := AddMonths(at(t, c.from), c.months); !got.Equal(at(t, c.want)) {
			t.Errorf("AddMonths(%s, %d) = %s, want %s", c.from, c.months, got.Format(time.RFC3339), c.want)
		}
	}
}

func TestAddMonthsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// 1970 to 2100, to the microsecond.
		from := time.UnixMicro(rapid.Int64Range(0, 4102444800_000000).Draw(t, "micros")).UTC()
		months := rapid.IntRange(1, 120).Draw(t, "months")
		got := AddMonths(from, months)

		wantMonth := from.Year()*12 + int(from.Month()) + months
		if gotMonth := got.Year()*12 + int(got.Month()); gotMonth != wantMonth {
			t.Fatalf("%s + %d months = %s: wrong month", from, months, got)
		}
		isLastDay := got.AddDate(0, 0, 1).Month() != got.Month()
		if got.Day() != from.Day() && (got.Day() > from.Day() || !isLastDay) {
			t.Fatalf("%s + %d months = %s: neither the same day nor the last one", from, months, got)
		}
		midnight := func(t time.Time) time.Time {
			return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
		}
		if got.Sub(midnight(got)) != from.Sub(midnight(from)) {
			t.Fatalf("%s + %d months = %s: the time of day changed", from, months, got)
		}
		if !AddMonths(from, months+1).After(got) {
			t.Fatalf("%s: %d months end after %d months", from, months, months+1)
		}
	})
}

func TestTermStartsAtTheLaterOfNowAndTheCurrentEnd(t *testing.T) {
	now := at(t, "2026-11-21T12:00:00Z")
	past, future := now.Add(-time.Hour), now.Add(time.Hour)
	for name, c := range map[string]struct {
		currentEnd *time.Time
		want       time.Time
	}{
		"nothing yet": {nil, now},
		"run out":     {&past, now},
		"still runs":  {&future, future},
	} {
		starts, ends := Term(now, c.currentEnd, 12)
		if !starts.Equal(c.want) || !ends.Equal(AddMonths(c.want, 12)) {
			t.Errorf("%s: %s to %s, want it to start at %s", name, starts, ends, c.want)
		}
	}
}

func TestEmailKey(t *testing.T) {
	for _, typed := range []string{"jane@example.com", " Jane@Example.COM ", "JANE@EXAMPLE.COM\n"} {
		if got := EmailKey(typed); got != "jane@example.com" {
			t.Errorf("EmailKey(%q) = %q", typed, got)
		}
	}
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	got, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
