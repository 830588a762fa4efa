package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"makegood.example/services/platform/money"
)

// Proof is what became of the charges of some days.
type Proof struct {
	Sums []Sum
	// Recovered are the orders that something other than their buyer's request finished.
	Recovered []Recovered
	// Differences is how many things do not fit; DifferenceTexts are some of them.
	Differences     int64
	DifferenceTexts []string
	// OldestUnserved is when the longest waiting customer without access paid; nil for none.
	OldestUnserved *time.Time
	// Incomplete says why not everything could be read; empty when it was.
	Incomplete string
}

// Sum adds up the charges of one disposition in one currency, in minor units.
type Sum struct {
	Disposition, Currency                            string
	Count, AmountMinor, RefundedMinor, DisputedMinor int64
}

// Recovered is how many orders one way finished, and how long the slowest took from
// charge to access.
type Recovered struct {
	By      string
	Orders  int64
	Slowest time.Duration
}

// good says whether the charges of a sum were made good: access, or the money back.
func (s Sum) good() bool {
	switch s.Disposition {
	case "MATCHED", "RECOVERED", "REFUNDED":
		return true
	}
	return s.AmountMinor == s.RefundedMinor
}

// Days is a window of whole days in the team's zone, from its first midnight to the
// one after its last day.
type Days struct{ From, Before time.Time }

func (d Days) String() string {
	first, last := d.From, d.Before.AddDate(0, 0, -1)
	if first.Format(time.DateOnly) == last.Format(time.DateOnly) {
		return "on " + first.Format("Monday, 2 January")
	}
	return "from " + first.Format("Monday, 2 January") + " to " + last.Format("Monday, 2 January")
}

// Key names the digest of these days.
func (d Days) Key() string { return "digest-" + d.Before.AddDate(0, 0, -1).Format(time.DateOnly) }

// DigestWords are what the team is told of some days in the morning: one line that
// can be believed, and the sums behind it. open are the incidents that are not over.
func DigestWords(d Days, p Proof, open []Incident) Words {
	var total, good, recovered int64
	var slowest time.Duration
	for _, s := range p.Sums {
		if s.Disposition == "FOREIGN" {
			continue
		}
		total += s.Count
		if s.good() {
			good += s.Count
		}
	}
	for _, r := range p.Recovered {
		recovered, slowest = recovered+r.Orders, max(slowest, r.Slowest)
	}
	parts := []string{made(total, good, d, p)}
	if recovered > 0 {
		parts = append(parts, fmt.Sprintf("%d recovered, the slowest in %s", recovered, took(slowest)))
	}
	parts = append(parts, needs(open, p))
	w := Words{Title: strings.Join(parts, "; ")}
	switch {
	case p.Incomplete != "":
		w.Meaning = "This is no proof yet: " + p.Incomplete + "."
	case p.Differences > 0:
		w.Meaning = fmt.Sprintf("%d things differ between Stripe and what is recorded here.", p.Differences)
	case total > 0:
		w.Meaning = "Stripe and what is recorded here agree to the cent."
	}
	w.Items = append(w.Items, sums(p.Sums)...)
	for _, r := range p.Recovered {
		w.Items = append(w.Items, Item{Text: fmt.Sprintf("recovered by %s: %d, the slowest in %s", r.By, r.Orders, took(r.Slowest))})
	}
	if p.OldestUnserved != nil {
		w.Items = append(w.Items, Item{Text: "A customer paid on " + Spoken(*p.OldestUnserved) + " and has no access", Path: "/"})
	}
	for _, text := range p.DifferenceTexts {
		w.Items = append(w.Items, Item{Text: text, Path: "/integrity"})
	}
	for _, i := range open {
		w.Items = append(w.Items, Item{Text: "Open: " + i.Words.Title, Path: "/incidents/" + i.Key})
	}
	return w
}

func made(total, good int64, d Days, p Proof) string {
	charges := fmt.Sprintf("%d charges", total)
	if total == 1 {
		charges = "1 charge"
	}
	switch {
	case p.Incomplete != "":
		return charges + " " + d.String() + " so far, not all could be read"
	case total == 0:
		return "No charges " + d.String()
	case good < total:
		return fmt.Sprintf("%d of %s %s made good", good, charges, d)
	case p.Differences > 0:
		return charges + " " + d.String() + " made good, and the books differ"
	case total == 1:
		return charges + " " + d.String() + ", made good"
	default:
		return charges + " " + d.String() + ", all made good"
	}
}

// needs says that nothing does only where that is known.
func needs(open []Incident, p Proof) string {
	switch {
	case len(open) == 1:
		return "one thing needs you"
	case len(open) > 1:
		return fmt.Sprintf("%d things need you", len(open))
	case p.Incomplete != "":
		return "whether anything needs you is not known yet"
	case p.Differences > 0:
		return "that needs you"
	default:
		return "nothing needs you"
	}
}

// sums are one line for each currency, and one for each disposition that is not good.
func sums(all []Sum) (items []Item) {
	currencies := []string{}
	byCurrency := map[string]Sum{}
	for _, s := range all {
		if s.Disposition == "FOREIGN" {
			continue
		}
		if _, known := byCurrency[s.Currency]; !known {
			currencies = append(currencies, s.Currency)
		}
		c := byCurrency[s.Currency]
		c.Count, c.AmountMinor = c.Count+s.Count, c.AmountMinor+s.AmountMinor
		c.RefundedMinor, c.DisputedMinor = c.RefundedMinor+s.RefundedMinor, c.DisputedMinor+s.DisputedMinor
		byCurrency[s.Currency] = c
	}
	slices.Sort(currencies)
	for _, currency := range currencies {
		c := byCurrency[currency]
		text := fmt.Sprintf("%s: %d charged %s", currency, c.Count, money.Display(c.AmountMinor, currency))
		if c.RefundedMinor > 0 {
			text += ", of that refunded " + money.Display(c.RefundedMinor, currency)
		}
		if c.DisputedMinor > 0 {
			text += ", disputed " + money.Display(c.DisputedMinor, currency)
		}
		items = append(items, Item{Text: text, Path: "/integrity"})
	}
	for _, s := range all {
		if s.Disposition != "FOREIGN" && !s.good() {
			items = append(items, Item{Text: fmt.Sprintf("not made good: %d %s, %s", s.Count, s.Disposition, money.Display(s.AmountMinor, s.Currency)), Path: "/integrity"})
		}
	}
	return items
}

// took is how long something took, rounded up: it never seems faster than it was.
func took(d time.Duration) string {
	switch {
	case d <= time.Minute:
		return fmt.Sprintf("%d s", (d+time.Second-1)/time.Second)
	case d <= time.Hour:
		return fmt.Sprintf("%d min", (d+time.Minute-1)/time.Minute)
	default:
		return fmt.Sprintf("%d h", (d+time.Hour-1)/time.Hour)
	}
}
