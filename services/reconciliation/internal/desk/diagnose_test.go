package desk

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)

// good is a customer for whom all is well: one order, one charge, one mail.
func good() Person {
	at := now.Add(-time.Hour)
	return Person{
		Now: now, StripeRead: true,
		Orders: []Order{{
			ID: "o1", ReferenceShort: "A1B2C3D4", Kind: "PURCHASE", State: "COMPLETE", PlanName: "Annual plan", AmountDisplay: "$249.00",
			Email: "jane@example.com", Name: "Jane Example", ChargeID: "ch_1", CreatedAt: at, ChargedAt: at.Add(time.Second), CompletedAt: at.Add(2 * time.Second),
			Access: true, AccessRead: true, AccessUntil: now.AddDate(1, 0, 0),
		}},
		Charges: []Charge{{ID: "ch_1", Owner: "OURS", OrderID: "o1", AmountDisplay: "$249.00", Paid: true, Disposition: "FULFILLED", CreatedAt: at.Add(time.Second)}},
		Mails:   []Mail{{OrderID: "o1", Kind: "CONFIRMATION", State: "SENT", CreatedAt: at.Add(2 * time.Second), SentAt: at.Add(3 * time.Second)}},
	}
}

// with is the good customer after one thing was changed.
func with(change func(*Person)) Person {
	p := good()
	change(&p)
	return p
}

func second(p *Person, disposition string) {
	c := p.Charges[0]
	c.ID, c.Disposition, c.CreatedAt = "ch_2", disposition, c.CreatedAt.Add(time.Minute)
	p.Charges = append(p.Charges, c)
}

func TestEachDiagnosis(t *testing.T) {
	state := func(s string, paid bool) func(*Person) {
		return func(p *Person) {
			p.Orders[0].State, p.Orders[0].Access, p.Orders[0].AccessUntil, p.Mails = s, false, time.Time{}, nil
			p.Charges[0].Paid = paid
		}
	}
	for name, c := range map[string]struct {
		person Person
		kind   Kind
		// rpc is the call that is recommended, and reply the template.
		rpc   string
		reply Template
		says  string
	}{
		"Stripe unreachable":          {with(func(p *Person) { p.StripeRead = false }), StripeUnreachable, "", "", "not known whether money was taken. Known here: order A1B2C3D4"},
		"Stripe unreachable, nothing": {Person{Now: now}, StripeUnreachable, "", "", "Nothing about this customer is known here"},
		"disputed":                    {with(func(p *Person) { p.Orders[0].Dispute = "OPEN"; second(p, "DUPLICATE") }), Disputed, "", "", "it is not decided"},
		"dispute lost":                {with(func(p *Person) { p.Orders[0].Dispute = "LOST" }), Disputed, "", "", "the bank has the money"},
		"dispute won is no dispute":   {with(func(p *Person) { p.Orders[0].Dispute = "WON" }), AllGood, "", ReplyCheckSpam, "A1B2C3D4"},
		"dispute of a lost order":     {with(func(p *Person) { p.Orders = nil; p.Charges[0].Disputed = true }), Disputed, "", "", "has no order here"},
		"two charges of one order":    {with(func(p *Person) { second(p, "") }), DuplicateCharge, "Refund", ReplyDuplicate, "charge ch_1 of $249.00 on 22 November 2026, 14:00 UTC, and charge ch_2"},
		// The order was paid by the later charge: the earlier one is too much.
		"two charges, paid by the later": {with(func(p *Person) { second(p, ""); p.Orders[0].ChargeID = "ch_2" }), DuplicateCharge, "Refund", ReplyDuplicate, "and charge ch_1 of $249.00 on 22 November 2026, 14:00 UTC. The second named"},
		"two charges, orders not read":   {with(func(p *Person) { second(p, ""); p.Orders, p.Unread = nil, []string{UnreadOrders} }), Unclear, "", "", "could not be read: the orders"},
		"duplicate by disposition":       {with(func(p *Person) { second(p, "DUPLICATE"); p.Charges[1].OrderID = "o2" }), DuplicateCharge, "Refund", ReplyDuplicate, "ch_2"},
		"duplicate, refunded":            {with(func(p *Person) { second(p, "DUPLICATE"); p.Charges[1].RefundedInFull = true }), AllGood, "", ReplyCheckSpam, ""},
		"orphan":                         {with(func(p *Person) { p.Orders = nil }), OrphanCharge, "Recover", ReplyRecovery, "no order of it is left here"},
		"orphan, refunded":               {with(func(p *Person) { p.Orders = nil; p.Charges[0].RefundedInFull = true }), Unclear, "", "", "charge ch_1 of $249.00 is ours"},
		"claimed":                        {with(func(p *Person) { p.Orders = nil; p.Charges[0].Owner = "CLAIMED" }), OrphanCharge, "AdoptCharge", ReplyRecovery, "earlier checkout"},
		"charged":                        {with(state("CHARGED", true)), StuckOrder, "Recover", ReplyRecovery, "is still CHARGED"},
		"pending, paid at Stripe":        {with(state("PENDING", true)), StuckOrder, "Recover", ReplyRecovery, "is still PENDING"},
		"failed, paid at Stripe":         {with(state("FAILED", true)), StuckOrder, "Recover", ReplyRecovery, "is still FAILED"},
		"expired, paid at Stripe":        {with(state("EXPIRED", true)), StuckOrder, "Recover", ReplyRecovery, "is still EXPIRED"},
		"no grant":                       {with(func(p *Person) { p.Orders[0].Access = false; p.Orders[0].AccessUntil = time.Time{} }), PaidNoAccess, "Recover", ReplyRecovery, "no access in force"},
		"grant withdrawn early":          {with(func(p *Person) { p.Orders[0].Access = false }), PaidNoAccess, "Recover", ReplyRecovery, "no access in force"},
		"run out":                        {with(func(p *Person) { p.Orders[0].Access = false; p.Orders[0].AccessUntil = now.AddDate(0, 0, -1) }), AllGood, "", ReplyCheckSpam, "ran out on 21 November 2026"},
		"pending":                        {with(func(p *Person) { state("PENDING", false)(p); p.Orders[0].NextLookAt = now.Add(time.Minute) }), PaymentPending, "", "", "Stripe has not said yet whether money was taken. We look again by ourselves by 22 November 2026, 15:01 UTC."},
		"pending, promised":              {with(func(p *Person) { state("PENDING", false)(p); p.Orders[0].PromisedBy = now.Add(time.Minute) }), PaymentPending, "", "", "The customer was told that it is known by 22 November 2026, 15:01 UTC."},
		"pending, the buyer's turn":      {with(func(p *Person) { state("PENDING", false)(p); p.Orders[0].Waits = "buyer" }), PaymentPending, "", "", "no money was taken so far"},
		"pending, the bank's turn":       {with(func(p *Person) { state("PENDING", false)(p); p.Orders[0].Waits = "bank" }), PaymentPending, "", "", "may take days"},
		"refunded": {with(func(p *Person) {
			state("REFUNDED", true)(p)
			p.Charges[0].RefundedInFull = true
			p.Orders[0].RefundReferences = []string{"re_1"}
		}), Refunded, "", ReplyRefunded, "re_1"},
		"failed":  {with(state("FAILED", false)), OrderNoCharge, "", ReplyNotFound, "no money taken"},
		"expired": {with(state("EXPIRED", false)), OrderNoCharge, "", ReplyNotFound, "no money taken"},
		"no mail": {with(func(p *Person) { p.Mails = nil }), CompleteNoEmail, "ResendMessage", ReplyResend, "no confirmation was written"},
		"mail refused": {with(func(p *Person) {
			p.Mails[0].State, p.Mails[0].SentAt, p.Mails[0].Error = "FAILED", time.Time{}, "refused for good"
		}), CompleteNoEmail, "ResendMessage", ReplyResend, "refused for good"},
		"mail just queued": {with(func(p *Person) {
			p.Mails[0].State, p.Mails[0].SentAt, p.Mails[0].CreatedAt = "QUEUED", time.Time{}, now
		}), AllGood, "", ReplyCheckSpam, "has its access until"},
		"mails not read":      {with(func(p *Person) { p.Mails, p.Unread = nil, []string{UnreadMails} }), AllGood, "", ReplyCheckSpam, "UTC). Could not be read: the mails."},
		"not read to its end": {Person{Now: now, StripeRead: true, Unread: []string{CutCharges}}, NoChargeNoOrder, "", ReplyNotFound, "Could not be read: all of the charges in question, which are too many."},
		"all good":            {good(), AllGood, "", ReplyCheckSpam, "handed over on 22 November 2026, 14:00 UTC"},
		"nothing":             {Person{Now: now, StripeRead: true}, NoChargeNoOrder, "", ReplyNotFound, "Neither an order nor a charge"},
		"only a stranger's":   {Person{Now: now, StripeRead: true, Charges: []Charge{{ID: "ch_9", Owner: "FOREIGN", Paid: true}}}, NoChargeNoOrder, "", ReplyNotFound, "not of this product: 1"},
		"unclear": {with(func(p *Person) {
			p.Orders = nil
			p.Charges[0].Owner, p.Charges[0].OwnerReason = "UNCLEAR", "two orders are named"
		}), Unclear, "", "", "two orders are named"},
		"access not read": {with(func(p *Person) {
			p.Orders[0].AccessRead, p.Orders[0].Access, p.Unread = false, false, []string{"the access"}
		}), Unclear, "", "", "could not be read: the access"},
		"refunded, and a charge of it stands": {with(func(p *Person) {
			state("REFUNDED", true)(p)
			second(p, "QUARANTINED")
			p.Charges[0].RefundedInFull, p.Charges[1].DispositionReason = true, "this charge for it still stands"
		}), Unclear, "", "", "this charge for it still stands"},
		"refunded, and Stripe shows no refund": {with(state("REFUNDED", true)), Unclear, "", "", "order A1B2C3D4 is REFUNDED; charge ch_1"},
		"a foreign charge was named": {with(func(p *Person) {
			p.Charges = append(p.Charges, Charge{ID: "ch_9", Owner: "FOREIGN", OwnerReason: "it carries no mark of ours", AmountDisplay: "$5.00", Paid: true})
			p.ChargeNamed = "ch_9"
		}), AllGood, "", ReplyCheckSpam, "Charge ch_9 of $5.00 is not of this product: it carries no mark of ours. Order A1B2C3D4"},
		"a refused charge was named": {with(func(p *Person) {
			p.Charges = append(p.Charges, Charge{ID: "ch_9", Owner: "OURS", Status: "FAILED", AmountDisplay: "$249.00"})
			p.ChargeNamed = "ch_9"
		}), AllGood, "", ReplyCheckSpam, "Charge ch_9 of $249.00 was refused by the bank: no money was taken by it. Order A1B2C3D4"},
		// What was not read is no reason to say that something is missing.
		"orders not read": {with(func(p *Person) {
			p.Orders, p.Mails, p.Unread = nil, nil, []string{UnreadOrders}
		}), Unclear, "", "", "could not be read: the orders"},
		"orders not read, nothing at Stripe": {Person{Now: now, StripeRead: true, Unread: []string{UnreadOrders}}, Unclear, "", "", "could not be read: the orders"},
		"neither orders nor Stripe":          {Person{Now: now, Unread: []string{UnreadOrders}}, StripeUnreachable, "", "", "Our own orders cannot be read either"},
		"disputed, orders not read": {with(func(p *Person) {
			p.Orders, p.Unread, p.Charges[0].Disputed = nil, []string{UnreadOrders}, true
		}), Disputed, "", "", "its order cannot be read right now"},
		"disputed, with its date": {with(func(p *Person) {
			p.Orders[0].Dispute, p.Charges[0].Disputes = "OPEN", []Dispute{{ID: "dp_1", Stands: "OPEN", AnswerBy: now.AddDate(0, 0, 7)}}
		}), Disputed, "", "", "It must be answered by 29 November 2026, 15:00 UTC."},
		// Money that is not what was asked for: "nothing was taken" would be untrue.
		"pending, other money": {with(func(p *Person) {
			state("PENDING", true)(p)
			p.Charges[0].Owner, p.Charges[0].OwnerReason = "UNCLEAR", "it is 100 USD"
		}), Unclear, "", "", "it is 100 USD"},
		"expired, other money": {with(func(p *Person) {
			state("EXPIRED", true)(p)
			p.Charges[0].Owner, p.Charges[0].OwnerReason = "UNCLEAR", "it is 100 USD"
		}), Unclear, "", "", "it is 100 USD"},
		"failed, with the bank's word": {with(func(p *Person) {
			state("FAILED", false)(p)
			p.Orders[0].Refusal = "Your card was declined."
		}), OrderNoCharge, "", ReplyNotFound, "The last card was refused: Your card was declined."},
		"paused": {with(func(p *Person) { p.Orders[0].Access, p.Orders[0].Lapse = false, "its subscription is paused" }), AllGood, "", ReplyCheckSpam, "gives no access now: its subscription is paused"},
		"a part went back": {with(func(p *Person) {
			o := &p.Orders[0]
			o.RefundedMinor, o.RefundedDisplay, o.NetDisplay = 5000, "$50.00", "$199.00"
		}), AllGood, "", ReplyCheckSpam, "$50.00 of it went back, and $199.00 stays"},
		"renewal unpaid": {with(func(p *Person) { p.Orders[0].Unpaid = "$249.00" }), AllGood, "", ReplyCheckSpam, "its renewal of $249.00 could not be charged"},
		// An old refund does not hide the order that is well.
		"a newer order": {with(func(p *Person) {
			old := p.Orders[0]
			old.ID, old.State, old.CreatedAt = "o0", "REFUNDED", old.CreatedAt.AddDate(-1, 0, 0)
			p.Orders = append(p.Orders, old)
		}), AllGood, "", ReplyCheckSpam, "A1B2C3D4"},
		"the older order was named": {with(func(p *Person) {
			old := p.Orders[0]
			old.ID, old.State, old.CreatedAt = "o0", "REFUNDED", old.CreatedAt.AddDate(-1, 0, 0)
			p.Orders, p.OrderNamed = []Order{old, p.Orders[0]}, true
		}), Refunded, "", ReplyRefunded, "went back"},
	} {
		t.Run(name, func(t *testing.T) {
			d := Diagnose(c.person)
			if d.Kind != c.kind || !strings.Contains(d.Text, c.says) {
				t.Fatalf("%+v, want %s saying %q", d, c.kind, c.says)
			}
			r := Recommend(d, "11111111-1111-4111-8111-111111111111")
			if r.Text == "" || r.Reply != c.reply || strings.TrimPrefix(r.RPC, desk) != c.rpc {
				t.Errorf("recommended: %+v, want %s and %s", r, c.rpc, c.reply)
			}
			if r.RPC != "" && !json.Valid([]byte(r.RequestJSON)) {
				t.Errorf("%s", r.RequestJSON)
			}
			if strings.Contains(d.Text, "not charged") || strings.Contains(d.Text, "0001") {
				t.Errorf("says more than is known: %s", d.Text)
			}
		})
	}
}

func TestTheCallIsReadyForAShell(t *testing.T) {
	r := Recommendation{RPC: desk + "Recover", RequestJSON: `{"reason":"it's late"}`}
	if got, want := r.Grpcurl(Shell{Addr: "127.0.0.1:9105"}), `grpcurl -plaintext -H "authorization: Bearer $ADMIN_TOKEN" -d '{"reason":"it'\''s late"}' 127.0.0.1:9105 reconciliation.v1.SupportService/Recover`; got != want {
		t.Errorf("%s", got)
	}
	if got := r.Grpcurl(Shell{Addr: "127.0.0.1:9105", TLS: true}); !strings.HasPrefix(got, `grpcurl -cacert "$GRPC_TLS_DIR/ca.pem" -H `) {
		t.Errorf("%s", got)
	}
	if (Recommendation{}).Grpcurl(Shell{}) != "" {
		t.Error("a call for nothing")
	}
}
