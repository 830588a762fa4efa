package cases

import (
	"fmt"
	"time"
)

// Ledger is how Stripe's events arrive, and whom they find.
type Ledger struct {
	LastHour, LastHourOrphaned int64
	// Struggling are events that several handlings could not finish, since then.
	Struggling      int64
	StrugglingSince *time.Time
	// DeliveredAt is when the newest came that Stripe delivered; nil when none did.
	DeliveredAt *time.Time
	// MissedRuns are the runs since then that found events at Stripe which had not come,
	// MissedEvents how many those were, and MissedSince when the first run began.
	MissedRuns, MissedEvents int64
	MissedSince              *time.Time
}

const (
	// missedTwice: once is an outage of ours that Stripe's redelivery heals. Twice with
	// nothing delivered between is a way that is closed.
	missedTwice = 2
	// orphansPerHundred is how many of an hour's events may find nobody.
	orphansPerHundred = 1
)

// Problems are what the team is told of the ledger.
func (l Ledger) Problems(now time.Time) (all []Problem) {
	if l.MissedRuns >= missedTwice && l.MissedSince != nil {
		all = append(all, Problem{
			Key: "webhooks-refused", PageNow: true, Title: "Stripe's webhooks do not arrive", Count: l.MissedEvents, Since: *l.MissedSince,
			Meaning: "None was delivered since then; what happened was found in Stripe's own list of events, later than it should be. Payments are still found, by looks and sweeps.",
			Next:    "See at Stripe's dashboard what the endpoint answers: is it disabled, is its address right, is its secret the first of STRIPE_WEBHOOK_SECRETS?",
			Items:   []Item{{Text: "The ledger", Path: "/events"}},
		})
	}
	if l.LastHourOrphaned*100 > l.LastHour*orphansPerHundred {
		all = append(all, Problem{
			Key: "orphan-rate", Title: "Too many of Stripe's events find nobody", Count: l.LastHourOrphaned, Since: now.Add(-time.Hour).Truncate(time.Hour),
			Meaning: fmt.Sprintf("More than %d in a hundred of the last hour found nobody whom they are for.", orphansPerHundred),
			Next:    "Look through the orphaned events: is there a customer to link, or another product on the account to claim or to ignore?",
			Items:   []Item{{Text: "The orphaned events", Path: "/events"}},
		})
	}
	if l.Struggling > 0 && l.StrugglingSince != nil {
		all = append(all, Problem{
			Key: "struggling-events", Title: "Events of Stripe's could not be handled in more than three tries", Count: l.Struggling, Since: *l.StrugglingSince,
			Meaning: "They are kept and tried again by themselves.",
			Next:    "Look at their last error; often a service is away.",
			Items:   []Item{{Text: "The ledger", Path: "/events"}},
		})
	}
	return all
}
