package incident

import (
	"slices"
	"testing"
	"time"
)

func TestADigestSaysOnlyWhatIsProven(t *testing.T) {
	day := time.Date(2027, 11, 21, 0, 0, 0, 0, time.UTC)
	one := Days{day, day.AddDate(0, 0, 1)}
	good := []Sum{
		{Disposition: "MATCHED", Currency: "USD", Count: 211, AmountMinor: 211 * 24900},
		{Disposition: "RECOVERED", Currency: "USD", Count: 2, AmountMinor: 2 * 24900},
		{Disposition: "REFUNDED", Currency: "USD", Count: 1, AmountMinor: 24900, RefundedMinor: 24900},
		{Disposition: "FOREIGN", Currency: "USD", Count: 9, AmountMinor: 9},
	}
	recovered := []Recovered{{By: "rescue", Orders: 1, Slowest: 4100 * time.Millisecond}, {By: "webhook", Orders: 1, Slowest: 8001 * time.Millisecond}}
	unpaid := append(slices.Clone(good), Sum{Disposition: "QUARANTINED", Currency: "EUR", Count: 1, AmountMinor: 22900})
	at := day.Add(time.Hour)
	for name, tt := range map[string]struct {
		days  Days
		proof Proof
		open  []Incident
		title string
		items []string
	}{
		"a good day": {one, Proof{Sums: good, Recovered: recovered}, nil,
			"214 charges on Sunday, 21 November, all made good; 2 recovered, the slowest in 9 s; nothing needs you",
			[]string{"USD: 214 charged $53,286.00, of that refunded $249.00", "recovered by rescue: 1, the slowest in 5 s", "recovered by webhook: 1, the slowest in 9 s"}},
		"a quiet day": {one, Proof{}, nil, "No charges on Sunday, 21 November; nothing needs you", nil},
		"three days": {Days{day.AddDate(0, 0, -2), day.AddDate(0, 0, 1)}, Proof{Sums: good[:1]}, nil,
			"211 charges from Friday, 19 November to Sunday, 21 November, all made good; nothing needs you", []string{"USD: 211 charged $52,539.00"}},
		"somebody waits": {one, Proof{Sums: unpaid, OldestUnserved: &at}, []Incident{{Key: "unidentified-charge", Words: Words{Title: "A charge has no order"}}},
			"214 of 215 charges on Sunday, 21 November made good; one thing needs you",
			[]string{"EUR: 1 charged €229.00", "USD: 214 charged $53,286.00, of that refunded $249.00", "not made good: 1 QUARANTINED, €229.00",
				"A customer paid on 21 November 2027, 01:00 UTC and has no access", "Open: A charge has no order"}},
		"the books differ": {one, Proof{Sums: good[:1], Differences: 4, DifferenceTexts: []string{"ch_1: differs"}}, nil,
			"211 charges on Sunday, 21 November made good, and the books differ; that needs you", []string{"USD: 211 charged $52,539.00", "ch_1: differs"}},
		"not all is read": {one, Proof{Sums: good[:1], Incomplete: "charges have been read up to noon only"}, nil,
			"211 charges on Sunday, 21 November so far, not all could be read; whether anything needs you is not known yet", []string{"USD: 211 charged $52,539.00"}},
	} {
		w := DigestWords(tt.days, tt.proof, tt.open)
		var items []string
		for _, i := range w.Items {
			items = append(items, i.Text)
		}
		if w.Title != tt.title || !slices.Equal(items, tt.items) {
			t.Errorf("%s: %q\n%q\nwant %q\n%q", name, w.Title, items, tt.title, tt.items)
		}
	}
}
