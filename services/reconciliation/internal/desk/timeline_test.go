package desk

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestTheTimelineTellsEverythingInOrder(t *testing.T) {
	at := now.Add(-time.Hour)
	second := func(n int) time.Time { return at.Add(time.Duration(n) * time.Second) }
	p := with(func(p *Person) {
		o := &p.Orders[0]
		o.State, o.AccessFrom, o.AccessTaken = "REFUNDED", second(2), second(60)
		o.History = []Change{
			{At: at, To: "PENDING", Reason: "request", By: "buyer"},
			{At: second(2), From: "PENDING", To: "CHARGED", Reason: "webhook", By: "system"},
			{At: second(2), From: "CHARGED", To: "RECOVERED", Reason: "support", By: "support:sam", Why: "access was missing"},
		}
		c := &p.Charges[0]
		c.Status, c.Last4 = "SUCCEEDED", "4242"
		c.Refunds = []Refund{{ID: "re_1", AmountDisplay: "$249.00", Status: "SUCCEEDED", At: second(59)}}
		c.Disputes = []Dispute{{ID: "dp_1", AmountDisplay: "$249.00", Stands: "OPEN", Reason: "unrecognized", At: second(70), AnswerBy: now.AddDate(0, 0, 7)},
			{ID: "dp_2", AmountDisplay: "$249.00", Stands: "LOST", LostDisplay: "$249.00", At: second(71)},
			{ID: "dp_3", AmountDisplay: "$249.00", Stands: "LOST", LostDisplay: "$199.00", At: second(72)},
			{ID: "dp_4", AmountDisplay: "$249.00", Stands: "WON", LostDisplay: "$0.00", At: second(73)}}
		o.Refunds = []Refund{{ID: "re_1", AmountDisplay: "$249.00", Status: "SUCCEEDED", At: second(59)}, {AmountDisplay: "$1.00", Status: "REQUESTED", Reason: "asked by phone", Actor: "sam", At: second(80)}}
		p.Charges = append(p.Charges,
			Charge{ID: "ch_0", Owner: "OURS", Status: "FAILED", AmountDisplay: "$249.00", Failure: "Your card was declined.", CreatedAt: at},
			Charge{ID: "ch_9", Owner: "FOREIGN", OwnerReason: "it carries no mark of ours", Status: "SUCCEEDED", Paid: true, AmountDisplay: "$5.00", CreatedAt: second(-60)})
		p.Events = []Event{{ID: "evt_1", Type: "charge.succeeded", Status: "ORPHANED", Error: "nobody", ReceivedAt: second(2)}}
		p.Mails = append(p.Mails, Mail{OrderID: "o1", Kind: "REFUND", State: "QUEUED", CreatedAt: second(61)})
		p.Cases = []Case{{ID: 7, Kind: "STUCK_ORDER", Summary: "several looks", OpenedAt: second(30), Happened: []CaseEvent{
			{At: second(30), What: "opened", Actor: "system", Note: "several looks"}, {At: second(40), What: "claimed", Actor: "sam"},
		}}}
		p.Acts = []Audited{
			{At: second(50), What: AuditAsked, Act: Act{Key: uuid.Nil, Actor: "sam", Action: "Refund", Reason: "they wrote"}},
			{At: second(58), What: AuditDone, Act: Act{Actor: "sam", Action: "Refund"}},
		}
	})
	var lines []string
	for _, e := range Timeline(p.Joined()) {
		actor := ""
		if e.Actor != "" {
			actor = " by " + e.Actor
		}
		lines = append(lines, e.At.Sub(at).String()+" "+e.Source+" "+e.Subject+actor+": "+e.Text)
	}
	want := []string{
		"-1m0s stripe ch_9: Stripe took the money: $5.00. It is not of this product: it carries no mark of ours.",
		"0s stripe ch_0: The bank refused a charge of $249.00: Your card was declined. No money was taken by it.",
		"0s order o1: Order A1B2C3D4 was placed: Annual plan for $249.00, by the customer's own request.",
		"1s stripe ch_1: Stripe took the money: $249.00, card or account ending in 4242.",
		"2s event evt_1: Stripe told us of charge.succeeded; nobody was found whom it is for (nobody).",
		"2s order o1: Order A1B2C3D4 is paid: Stripe's confirmation was recorded, by Stripe's webhook.",
		"2s order o1 by sam: Order A1B2C3D4 is recovered: access was given, late, and the mail about it queued, by support (access was missing).",
		"2s access o1: Access of order A1B2C3D4 begins; it was given until 22 November 2027 (UTC).",
		"3s mail o1: The mail server took the confirmation for order A1B2C3D4.",
		"30s case 7: Case 7 (stuck order) was opened: several looks",
		"40s case 7 by sam: Case 7 (stuck order) was claimed",
		"50s support " + uuid.Nil.String() + " by sam: Refund was asked for: they wrote",
		"58s support " + uuid.Nil.String() + " by sam: Refund was done.",
		"59s stripe re_1: A refund of $249.00 of order A1B2C3D4 was made.",
		"1m0s access o1: Access of order A1B2C3D4 was withdrawn.",
		"1m1s mail o1: The word about the refund for order A1B2C3D4 was queued, and the mail server has not taken it yet.",
		"1m10s stripe dp_1: The customer's bank disputes $249.00 of charge ch_1 (unrecognized); it must be answered by 29 November 2026, 15:00 UTC.",
		"1m11s stripe dp_2: The customer's bank disputes $249.00 of charge ch_1; it was lost.",
		"1m12s stripe dp_3: The customer's bank disputes $249.00 of charge ch_1; it was lost for $199.00.",
		"1m13s stripe dp_4: The customer's bank disputes $249.00 of charge ch_1; it was won.",
		"1m20s order o1 by sam: A refund of $1.00 of order A1B2C3D4 was asked for; Stripe has not answered (asked by phone).",
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
