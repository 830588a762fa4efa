package cases

import (
	"fmt"
	"strings"
	"time"
)

// Standing is how the open cases of one kind stand: what the team is told of as one
// problem, however many they are.
type Standing struct {
	Kind Kind
	// Count is how many are open, Snoozed and Claimed how many of them are that.
	Count, Snoozed, Claimed int64
	// Urgent is of how many a customer paid and has no access past what was promised.
	Urgent int64
	// Since is when the oldest was opened, NewestAt when the newest was.
	Since, NewestAt time.Time
	// Top are the most pressing.
	Top []Case
	// Amounts are what the charges of the top cases were, as people read it, by charge.
	Amounts map[string]string
}

// told is what is said of the cases of one kind.
type told struct {
	// one and many are the title; many has a place for the number.
	one, many string
	// meaning is what it means for whom, and next what to do.
	meaning, next string
	// pages: somebody must hear of it at any hour.
	pages bool
}

// telling has an entry for each kind that somebody must hear of in words of its own.
var telling = map[Kind]told{
	StuckOrder: {
		one: "An order does not get on", many: "%d orders do not get on",
		meaning: "Several looks could not finish it; they go on by themselves, hourly. Its buyer waits.",
		next:    "Open it and press Recover. If that cannot be done, the case says why.",
	},
	FailedRefund: {
		one: "A refund failed", many: "%d refunds failed", pages: true,
		meaning: "The customer was told that their money goes back, and it does not.",
		next:    "See at Stripe why, and refund it another way.",
	},
	StripeAccess: {
		one: "Stripe refuses our key", many: "Stripe refuses our key", pages: true,
		meaning: "Nobody can buy, and nothing can be looked up at Stripe.",
		next:    "Check STRIPE_SECRET_KEY at Stripe's dashboard: was it rolled or restricted?",
	},
	DuplicateCharge: {
		one: "A customer paid twice", many: "%d customers paid twice",
		meaning: "Both charges stand, for what was wanted once.",
		next:    "Open it and give the second back: one step.",
	},
	WrongCharge: {
		one: "A charge is not what its order asked for", many: "%d charges are not what their orders asked for",
		meaning: "The money is there and the order is held: nobody decided yet whether it is enough.",
		next:    "Open it: accept it or refund it.",
	},
	UnidentifiedCharge: {
		one: "A charge has no order", many: "%d charges have no order",
		meaning: "They are ours, and for whom or for what cannot be said without a guess.",
		next:    "Open it, name buyer and plan and adopt it, or refund it.",
	},
	ClaimedCharge: {
		one: "A charge of the old checkout is to be adopted", many: "%d charges of the old checkout are to be adopted",
		meaning: "A rule of the OWNERSHIP_FILE claims it; nothing was granted for it.",
		next:    "Open it and adopt it for its buyer.",
	},
	UnknownPayment: {
		one: "The outcome of a payment is not known", many: "The outcome of %d payments is not known",
		meaning: "Stripe has not said whether the money was taken. Its buyer waits.",
		next:    "Look the intent up at Stripe's dashboard.",
	},
	UndeliveredMessage: {
		one: "A mail could not be delivered", many: "%d mails could not be delivered",
		meaning: "A customer did not hear what they should have.",
		next:    "Check the address, and write to them another way.",
	},
	FailedEvent: {
		one: "An event of Stripe's cannot be handled", many: "%d events of Stripe's cannot be handled",
		meaning: "It is kept, and tried again by itself.",
		next:    "Open it: its last error says why. Link or replay it when that is mended.",
	},
	UnclearEvent: {
		one: "An event of Stripe's fits nobody", many: "%d events of Stripe's fit nobody",
		meaning: "It is of ours, and whom it is for cannot be said without a guess.",
		next:    "Open it and link it to an account, or ignore it.",
	},
	Subscription: {
		one: "A subscription needs a decision", many: "%d subscriptions need a decision",
		meaning: "What was paid or refunded leaves open how it goes on.",
		next:    "Open it: it says what is to be decided.",
	},
	Discrepancy: {
		one: "Money and records do not add up", many: "Money and records do not add up",
		meaning: "Something differs between Stripe and what is recorded here.",
		next:    "Open the integrity report: it lists every difference.",
	},
	Dispute: {
		one: "A dispute needs somebody", many: "%d disputes need somebody",
		meaning: "Unanswered, it is lost when its time is up; do not refund what is disputed. One that was lost for a part leaves a customer without access and without the rest.",
		next:    "Open it, and answer it at Stripe's dashboard, or give the rest back there.",
	},
	UndeliveredHook: {
		one: "The app does not take what it is told of access", many: "The app does not take %d things that it is told of access",
		meaning: "It may let in who has no access any more, or keep out who has. It is told again by itself.",
		next:    "Open it: its last error says what the app answers.",
	},
	FraudWarning: {
		one: "Stripe warns of fraud", many: "Stripe warns of fraud in %d charges",
		meaning: "The bank reports a charge as fraud. A dispute usually follows.",
		next:    "Decide whether to refund it before that.",
	},
}

// Problem is what the team is told of as one incident.
type Problem struct {
	Key     string
	PageNow bool
	// Title, Meaning and Next are what it is, what it means for whom, and what to do.
	Title, Meaning, Next string
	Count                int64
	// Since is when it began, NewestAt when the newest of it came; nil when it does not
	// come one by one.
	Since    time.Time
	NewestAt *time.Time
	Items    []Item
}

// Item is one of the things that a problem is about.
type Item struct{ Text, Path string }

// Problem is what the team is told of cases of a kind.
func (s Standing) Problem() Problem {
	t, ok := telling[s.Kind]
	if !ok { // a kind that a newer binary knows
		plain := strings.ToLower(strings.ReplaceAll(string(s.Kind), "_", " "))
		t = told{one: "A case of " + plain, many: "%d cases of " + plain, next: "Open it."}
	}
	w := Problem{
		Key: strings.ToLower(strings.ReplaceAll(string(s.Kind), "_", "-")), Title: t.one, Meaning: t.meaning, Next: t.next, PageNow: t.pages,
		Count: s.Count, Since: s.Since, NewestAt: &s.NewestAt,
	}
	if s.Count != 1 && strings.Contains(t.many, "%d") {
		w.Title = fmt.Sprintf(t.many, s.Count)
	}
	if s.Urgent > 0 {
		w.PageNow, w.Title = true, "A customer paid and has no access"
		if s.Urgent > 1 {
			w.Title = fmt.Sprintf("%d customers paid and have no access", s.Urgent)
		}
		w.Meaning = "What they were promised has passed. Looks go on by themselves, hourly, and could not mend it."
	}
	if s.Claimed > 0 {
		w.Meaning += fmt.Sprintf(" Of %d, somebody looks after %d.", s.Count, s.Claimed)
	}
	if s.Snoozed > 0 {
		w.Meaning += fmt.Sprintf(" %d of them sleep.", s.Snoozed)
	}
	for _, c := range s.Top {
		w.Items = append(w.Items, s.item(c))
	}
	return w
}

// said is the most of a summary that is told.
const said = 300

func (s Standing) item(c Case) Item {
	text := fmt.Sprintf("Case %d", c.ID)
	for _, id := range c.ChargeIDs() {
		if amount := s.Amounts[id]; amount != "" {
			text += ", " + id + ": " + amount
			break
		}
	}
	if c.WaitingSince != nil {
		text += ", a customer waits since " + c.WaitingSince.UTC().Format("2 January, 15:04 UTC")
	} else {
		text += ", opened " + c.OpenedAt.UTC().Format("2 January, 15:04 UTC")
	}
	if c.ClaimedBy != "" {
		text += ", " + c.ClaimedBy + " looks after it"
	}
	// What only counts up is no news, and would have the message edited at every look.
	summary := strings.Join(strings.Fields(counters.ReplaceAllStringFunc(c.Summary, func(n string) string {
		return "several" + n[strings.IndexByte(n, ' '):]
	})), " ")
	if r := []rune(summary); len(r) > said {
		summary = string(r[:said]) + "…"
	}
	return Item{Text: text + ": " + summary, Path: fmt.Sprintf("/cases/%d", c.ID)}
}
