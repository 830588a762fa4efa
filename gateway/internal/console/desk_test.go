package console_test

import (
	"context"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/apperr"
)

func TestNobodyIsNamedInAnAddress(t *testing.T) {
	d := start(t)
	d.badNight()
	p := d.as(t, "support")
	a := p.post(t, "/lookup", url.Values{"q": {" Jane@Example.com "}})
	if a.status != 200 || !strings.HasPrefix(a.path, "/lookup?s=") || strings.Contains(strings.ToLower(a.path), "jane") {
		t.Fatalf("%d %s", a.status, a.path)
	}
	a.says(t, "Stuck order", "access is not there yet", "Recover: see what would happen", "charged $249.00", "Write the reply")
	asked := d.peers.Script.Asked("LookupCustomer")
	if r := asked[0].Request.(*reconciliationv1.LookupCustomerRequest); r.GetQuery() != "Jane@Example.com" || asked[0].Actor != "sam" {
		t.Errorf("asked %v", asked)
	}
	if again := p.get(t, a.path); !strings.Contains(again.body, "Stuck order") {
		t.Error("the address cannot be loaded again")
	}
	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(a.body, -1) {
		if strings.Contains(link[1], "@") || strings.Contains(link[1], "%40") {
			t.Errorf("a link names somebody: %s", link[1])
		}
	}
	other := d.as(t, "admin").get(t, a.path)
	if other.status != 400 {
		t.Errorf("somebody else's address: %d", other.status)
	}
	other.says(t, "only that one can open it")
	other.hides(t, "jane@example.com", "Jane@Example.com")
	if a := p.post(t, "/lookup", url.Values{"q": {"5F0C1C1E"}}); a.path != "/lookup?q=5F0C1C1E" {
		t.Errorf("what names nobody: %s", a.path)
	}
	p.get(t, "/tickets/7").hides(t, "q=jane")
}

func TestACardIsLookedUp(t *testing.T) {
	d := start(t)
	d.badNight()
	p := d.as(t, "viewer")
	for amount, minor := range map[string]int64{"249": 24900, "249.00": 24900, "249,00": 24900, "$1,249.00": 124900, "1.249,00": 124900} {
		d.peers.Script.Forget()
		p.post(t, "/lookup", url.Values{"last4": {"4242"}, "amount": {amount}, "currency": {"usd"}, "date": {"2026-11-20"}})
		asked := d.peers.Script.Asked("LookupCustomer")
		if len(asked) != 1 {
			t.Errorf("%q was not asked", amount)
			continue
		}
		if card := asked[0].Request.(*reconciliationv1.LookupCustomerRequest).GetCard(); card.GetAmountMinor() != minor || card.GetLast4() != "4242" || card.GetCurrency() != "USD" || card.GetDate() != "2026-11-20" {
			t.Errorf("%q: %v", amount, card)
		}
	}
	d.peers.Script.Forget()
	for amount, says := range map[string]string{"": "found by all three", "a lot": "is not a number", "24,9000": "could be two", "1,23,456": "could be two"} {
		if a := p.post(t, "/lookup", url.Values{"last4": {"4242"}, "amount": {amount}, "date": {"2026-11-20"}}); a.status != 400 {
			t.Errorf("%q: %d", amount, a.status)
		} else {
			a.says(t, says, `value="4242"`)
		}
	}
	p.post(t, "/lookup", url.Values{"last4": {"4242"}, "amount": {"24900"}, "currency": {"JPY"}, "date": {"2026-11-20"}})
	if asked := d.peers.Script.Asked("LookupCustomer"); len(asked) != 1 || asked[0].Request.(*reconciliationv1.LookupCustomerRequest).GetCard().GetAmountMinor() != 24900 {
		t.Errorf("yen: %v", asked)
	}
}

func TestWhatIsAmbiguousIsNotGuessed(t *testing.T) {
	d := start(t)
	d.quiet()
	a := d.as(t, "support").get(t, "/lookup?q=5F0C1C1E")
	a.says(t, "Which of these?", "Nothing was chosen for you", "j***@example.com", `href="/lookup?q=`+orderID, `href="/lookup?s=`)
	a.hides(t, "What to do", "sam@example.com")
}

func TestStripeIsAwayAndTheLookupSaysSo(t *testing.T) {
	d := start(t)
	d.badNight()
	found := aPerson()
	found.StripeRead, found.Diagnosis, found.Recommendation = false, reconciliationv1.Diagnosis_STRIPE_UNREACHABLE, &reconciliationv1.Recommendation{Text: "Promise nothing."}
	d.peers.Script.Say("LookupCustomer", found, nil)
	a := d.as(t, "support").get(t, "/lookup?q="+orderID)
	a.says(t, "Stripe unreachable", "Stripe could not be read.", "Promise nothing.", "charged $249.00")
	a.hides(t, "see what would happen")
}

// field reads a hidden field of a page.
func field(t *testing.T, a answer, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no field %s:\n%s", name, a.body)
	}
	return m[1]
}

func TestAStepIsSeenBeforeItIsTaken(t *testing.T) {
	d := start(t)
	d.badNight()
	p, s := d.as(t, "support"), &d.peers.Script
	s.On("Recover", func(_ context.Context, req proto.Message) (proto.Message, error) {
		if req.(*reconciliationv1.RecoverRequest).GetAct().GetDryRun() {
			return wouldRecover(), nil
		}
		return recovered(), nil
	})
	look := p.post(t, "/lookup", url.Values{"q": {"jane@example.com"}})
	button := regexp.MustCompile(`href="(/do/recover[^"]*)">Recover: see`).FindStringSubmatch(look.body)
	if button == nil {
		t.Fatal("no button")
	}
	preview := p.get(t, html.UnescapeString(button[1]))
	preview.says(t, "would be done", "grant access for 12 months", "not needed", `value="paid, and no access"`, "Recover now")
	for _, a := range s.Asked("Recover") {
		if !a.Request.(*reconciliationv1.RecoverRequest).GetAct().GetDryRun() {
			t.Fatal("looking did something")
		}
	}
	s.Forget()
	key := field(t, preview, "key")
	form := url.Values{"order_id": {field(t, preview, "order_id")}, "back": {field(t, preview, "back")}, "confirm": {"yes"}, "key": {key}, "reason": {"she wrote"}}
	var both sync.WaitGroup // a double click
	for range 2 {
		both.Go(func() {
			a := p.post(t, "/do/recover", form)
			a.says(t, "Recovered: access is in force", "audit entry 88", "RECOVERED", "Write the reply", ">Back<")
		})
	}
	both.Wait()
	calls := s.Asked("Recover")
	if len(calls) != 2 {
		t.Fatalf("%d calls", len(calls))
	}
	for _, a := range calls {
		if act := a.Request.(*reconciliationv1.RecoverRequest).GetAct(); act.GetIdempotencyKey() != key || act.GetReason() != "she wrote" || act.GetDryRun() || a.Actor != "sam" {
			t.Errorf("%v", a)
		}
	}
	if again := field(t, p.get(t, "/do/recover?order_id="+orderID), "key"); again == key {
		t.Error("another form has the same key")
	}
}

func TestAStepSaysOnlyWhatHappened(t *testing.T) {
	d := start(t)
	d.badNight()
	p, s := d.as(t, "support"), &d.peers.Script
	form := func() url.Values {
		return url.Values{"order_id": {orderID}, "confirm": {"yes"}, "key": {"0d9a4c7e-7d8e-4c7b-9d7e-0d8a5a6f3333"}, "reason": {"r"}}
	}
	failed := recovered()
	failed.Done, failed.Order.State, failed.Order.AccessUntil = false, ordersv1.Order_CHARGED, nil
	failed.Steps[1].Outcome, failed.Steps[1].Note = reconciliationv1.Step_FAILED, "Provisioning gives no answer"
	s.Say("Recover", failed, nil)
	a := p.post(t, "/do/recover", form())
	a.says(t, "Not done", "did not happen", "Provisioning gives no answer")
	a.hides(t, "Recovered: access", "Write the reply")

	s.Say("Recover", nil, apperr.New(codes.DeadlineExceeded, "", ""))
	a = p.post(t, "/do/recover", form())
	a.says(t, "may or may not have happened", "Ask again", `value="0d9a4c7e-7d8e-4c7b-9d7e-0d8a5a6f3333"`)
	a.hides(t, "Recovered:", "Not done")

	s.Say("Refund", nil, apperr.New(codes.Aborted, "REFUND_DISPUTED", "a dispute of this charge is open: the bank decides"))
	a = p.post(t, "/do/refund", form())
	if a.status != 409 {
		t.Errorf("refused: %d", a.status)
	}
	a.says(t, "A dispute of this charge is open", "REFUND_DISPUTED")
	a.hides(t, "may or may not")

	d.quiet() // everything is there already
	a = p.get(t, "/do/recover?order_id="+orderID)
	a.says(t, "Nothing would be done")
	a.hides(t, "Recover now")
	d.badNight()
	d.as(t, "viewer").get(t, "/do/adopt?charge_id="+chargeID).says(t, "Whose it is")
	if a := d.as(t, "viewer").post(t, "/do/recover", form()); a.status != 403 {
		t.Errorf("a viewer: %d", a.status)
	}
}

func TestARefundIsReadAsItWasTyped(t *testing.T) {
	d := start(t)
	d.badNight()
	p, s := d.as(t, "support"), &d.peers.Script
	p.post(t, "/do/refund", url.Values{"order_id": {orderID}, "currency": {"USD"}, "amount": {"50.00"}, "charge_id": {chargeID}}).says(t, "refund $249.00", "would be done")
	p.post(t, "/do/refund", url.Values{"order_id": {orderID}, "confirm": {"yes"}, "key": {"0d9a4c7e-7d8e-4c7b-9d7e-0d8a5a6f4444"}, "reason": {"r"}, "currency": {"USD"}, "amount": {"50.00"}, "charge_id": {chargeID}})
	calls := s.Asked("Refund")
	first, last := calls[0].Request.(*reconciliationv1.RefundRequest), calls[len(calls)-1].Request.(*reconciliationv1.RefundRequest)
	if !first.GetAct().GetDryRun() || last.GetAct().GetDryRun() || last.GetAmountMinor() != 5000 || last.GetChargeId() != chargeID || last.GetOrderId() != orderID {
		t.Errorf("%v, %v", first, last)
	}
	s.Forget()
	for _, amount := range []string{"fifty", "5.0.0", "0"} {
		a := p.post(t, "/do/refund", url.Values{"order_id": {orderID}, "currency": {"USD"}, "amount": {amount}})
		if a.status != 400 || len(s.Asked("Refund")) > 0 {
			t.Errorf("%q: %d, %v", amount, a.status, s.Asked("Refund"))
		}
	}
}

func TestAChargeIsAdopted(t *testing.T) {
	d := start(t)
	d.badNight()
	p, s := d.as(t, "support"), &d.peers.Script
	s.Say("AdoptCharge", wouldRecover(), nil)
	p.get(t, "/do/adopt?charge_id="+chargeID).says(t, "Whose it is", "See what would happen")
	if len(s.Asked("AdoptCharge")) > 0 {
		t.Error("asked before buyer and plan were named")
	}
	a := p.post(t, "/do/adopt", url.Values{"charge_id": {chargeID}, "email": {"jane@example.com"}, "plan_id": {"annual"}})
	a.says(t, "grant access for 12 months", "Adopt it")
	r := s.Asked("AdoptCharge")[0].Request.(*reconciliationv1.AdoptChargeRequest)
	if r.GetChargeId() != chargeID || r.GetEmail() != "jane@example.com" || r.GetPlanId() != "annual" || !r.GetAct().GetDryRun() {
		t.Errorf("%v", r)
	}
}

func TestAReplyIsRenderedAndSent(t *testing.T) {
	d := start(t)
	d.badNight()
	p, s := d.as(t, "support"), &d.peers.Script
	a := p.get(t, "/reply?template=RECOVERY&order_id="+orderID)
	a.says(t, "Re: I paid and have nothing", "It works now.", "Send it to jane@example.com")
	r := s.Asked("Reply")[0].Request.(*reconciliationv1.ReplyRequest)
	if r.GetSend() || r.GetTemplate() != reconciliationv1.ReplyRequest_RECOVERY || r.GetOrderId() != orderID {
		t.Errorf("rendered by %v", r)
	}
	s.Say("Reply", &reconciliationv1.ReplyResponse{To: "jane@example.com", Subject: "Re: I paid and have nothing", Text: "It works now.", Queued: true}, nil)
	key := field(t, a, "key")
	a = p.post(t, "/reply", url.Values{"template": {"RECOVERY"}, "order_id": {orderID}, "subject": {"I paid and have nothing"}, "in_reply_to": {"<1@example.com>"}, "send": {"yes"}, "key": {key}, "reason": {"she waits"}})
	a.says(t, "The reply is queued; the mail server has not taken it yet.")
	a.hides(t, "Send it to", "was sent")
	calls := s.Asked("Reply")
	r = calls[len(calls)-1].Request.(*reconciliationv1.ReplyRequest)
	if !r.GetSend() || r.GetAct().GetIdempotencyKey() != key || r.GetAct().GetReason() != "she waits" || r.GetInReplyTo() != "<1@example.com>" {
		t.Errorf("sent by %v", r)
	}
	s.Say("Reply", nil, apperr.New(codes.Aborted, "NOT_SO_YET", "the order has no access yet"))
	a = p.get(t, "/reply?template=RECOVERY&order_id="+orderID)
	a.says(t, "The order has no access yet.", "NOT_SO_YET", "Which reply")
	a.hides(t, "may or may not")
}

func TestATicketIsKeptAndMovedOn(t *testing.T) {
	d := start(t)
	d.badNight()
	p, s := d.as(t, "support"), &d.peers.Script
	s.Say("OpenTicket", &reconciliationv1.Ticket{Id: 7}, nil)
	s.Say("ChangeTicket", nil, apperr.New(codes.Aborted, "INVALID_STATE", "somebody else has changed this ticket"))
	p.get(t, "/tickets").says(t, "I paid and have nothing", "alex has it")
	form := p.get(t, "/tickets/new")
	a := p.post(t, "/tickets", url.Values{"key": {field(t, form, "key")}, "email": {"jane@example.com"}, "subject": {"I paid"}, "description": {"Help"}, "category": {"ACCESS"}})
	if a.path != "/tickets/7?did=open" {
		t.Errorf("opened: %s", a.path)
	}
	a.says(t, "The ticket is open.", "/lookup?q="+orderID, "you took $249")
	if r := s.Asked("OpenTicket")[0].Request.(*reconciliationv1.OpenTicketRequest); r.GetIdempotencyKey() != field(t, form, "key") || r.GetCategory() != reconciliationv1.Ticket_ACCESS {
		t.Errorf("%v", r)
	}
	a = p.post(t, "/tickets/7", url.Values{"version": {"1"}, "state": {"RESOLVED"}, "resolution": {"recovered"}})
	if a.status != 409 {
		t.Errorf("%d", a.status)
	}
	a.says(t, "Somebody else has changed this ticket.")
	if r := s.Asked("ChangeTicket")[0].Request.(*reconciliationv1.ChangeTicketRequest); r.GetVersion() != 1 || r.GetState() != reconciliationv1.Ticket_RESOLVED || r.GetResolution() != "recovered" {
		t.Errorf("%v", r)
	}
	if a := p.get(t, "/tickets/99"); a.status != 404 {
		t.Errorf("no such ticket: %d", a.status)
	}
	d.quiet()
	p.get(t, "/tickets").says(t, "None is open")
}

func TestTheAuditIsRead(t *testing.T) {
	d := start(t)
	d.badNight()
	p := d.as(t, "viewer")
	p.get(t, "/audit?actor=sam&subject="+orderID).says(t, "paid, and no access", "asked, no answer is known", "REFUND_DISPUTED: a dispute is open", fmt.Sprintf("&amp;subject=%s&amp;page=older", orderID))
	if r := d.peers.Script.Asked("ListAudit")[0].Request.(*reconciliationv1.ListAuditRequest); r.GetActor() != "sam" || r.GetSubject() != orderID {
		t.Errorf("%v", r)
	}
}

func TestAnIncidentIsLookedAfter(t *testing.T) {
	d := start(t)
	d.badNight()
	p, s := d.as(t, "support"), &d.peers.Script
	s.Say("AcknowledgeIncident", &reconciliationv1.ActionResponse{Done: true}, nil)
	s.Say("SnoozeIncident", nil, apperr.New(codes.NotFound, "INCIDENT_NOT_FOUND", "no incident of this name is open"))
	p.get(t, "/incidents").says(t, "A customer paid and has no access", "now, at any hour", "nobody looks after it", "alex looks after it", "about 12")
	p.get(t, "/incidents/stuck-order").says(t, "Open the case and recover the order.", `href="/cases/41"`, `name="key" value="`, "channel_not_found", "The most pressing of 12")
	if a := p.post(t, "/incidents/stuck-order/acknowledge", url.Values{"key": {aKey}}); a.path != "/incidents/stuck-order?did=acknowledge" {
		t.Errorf("acknowledged: %s", a.path)
	}
	if asked := s.Asked("AcknowledgeIncident"); asked[0].Actor != "sam" || asked[0].Request.(*reconciliationv1.AcknowledgeIncidentRequest).GetKey() != "stuck-order" ||
		asked[0].Request.(*reconciliationv1.AcknowledgeIncidentRequest).GetAct().GetIdempotencyKey() != aKey {
		t.Errorf("%v", asked)
	}
	if a := p.post(t, "/incidents/stuck-order/snooze", url.Values{"until": {"2026-11-21T06:14:00Z"}, "key": {aKey}, "reason": {"I know"}}); a.status != 404 {
		t.Errorf("it is over: %d", a.status)
	} else {
		a.says(t, "No incident of this name is open.")
	}
	if a := p.post(t, "/incidents/stuck-order/snooze", url.Values{"until": {"soon"}}); a.status != 400 {
		t.Errorf("no time: %d", a.status)
	}
	d.as(t, "viewer").get(t, "/incidents/stuck-order").hides(t, "I look after it")
	d.quiet()
	p.get(t, "/incidents").says(t, "None is open")
	if a := p.get(t, "/incidents/stuck-order"); a.status != 404 {
		t.Errorf("never: %d", a.status)
	}
}
