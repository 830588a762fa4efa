package payments_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// deliver hands a body over as Stripe does, signed now.
func (s *scene) deliver(payload []byte) (status string, err error) {
	s.t.Helper()
	got, err := s.edge.ReceiveWebhook(s.context(), &pb.ReceiveWebhookRequest{Payload: payload, Signature: sign(webhookSecret, s.clock.Now(), payload)})
	return got.GetStatus(), err
}

// deliverAgain delivers, as Stripe does, until it is acknowledged. Only that
// another delivery has the event in hand for long, on a slow machine, may come in
// between.
func (s *scene) deliverAgain(payload []byte) {
	s.t.Helper()
	for until := time.Now().Add(time.Minute); ; {
		_, err := s.deliver(payload)
		if err == nil {
			return
		}
		if failed := s.ledger(payload, "coalesce(last_error, '')"); failed != "" || time.Now().After(until) {
			s.t.Errorf("delivered: %v; its handling: %q", err, failed)
			return
		}
	}
}

func (s *scene) delivered(payload []byte, want string) {
	s.t.Helper()
	if status, err := s.deliver(payload); err != nil || status != want {
		s.t.Fatalf("delivered: %q, %v; want %s", status, err, want)
	}
	if row := s.ledger(payload, "status"); row != want {
		s.t.Fatalf("the ledger says %s, want %s", row, want)
	}
}

// notYet delivers what cannot be handled at the moment.
func (s *scene) notYet(payload []byte) {
	s.t.Helper()
	status, err := s.deliver(payload)
	if err == nil {
		s.t.Fatalf("acknowledged with %s", status)
	}
	wantError(s.t, "delivered", err, codes.Unavailable, "EVENT_NOT_HANDLED")
}

// ledger reads a column of an event's row.
func (s *scene) ledger(payload []byte, column string) string {
	s.t.Helper()
	return s.text(`SELECT (`+column+`)::text FROM payments.webhook_events WHERE stripe_event_id = $1`, s.ledgerID(payload))
}

// ledgerID is an event's id.
func (s *scene) ledgerID(payload []byte) string {
	var e struct{ ID string }
	if err := json.Unmarshal(payload, &e); err != nil {
		s.t.Error(err)
	}
	return e.ID
}

// compact is an event without the space in it.
func compact(event []byte) []byte {
	var out bytes.Buffer
	if err := json.Compact(&out, event); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// changed is an event as it came, with other words in it.
func changed(event []byte, pairs ...string) []byte {
	out := strings.NewReplacer(pairs...).Replace(string(event))
	if out == string(event) {
		panic(fmt.Sprintf("nothing of %q is in the event", pairs))
	}
	return []byte(out)
}

// unrecorded is a purchase that Stripe charged while nothing was learned of it
// here, and Stripe's event about it.
func (s *scene) unrecorded() (r *pb.PayRequest, success []byte) {
	s.t.Helper()
	r = s.request(s.purchase("jane@example.com"), "pm_card_visa")
	ends := []func(){s.fault(confirmPath, "reset_after", 0, 0), s.fault("GET /v1/payment_intents/*", "error_before", 0, 503)}
	s.paid(r, pb.Payment_UNKNOWN)
	for _, end := range ends {
		end()
	}
	s.forget()
	return r, s.event("payment_intent.succeeded")
}

func TestASuccessIsTrustedAndToldToOrders(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, success := s.unrecorded()
	s.delivered(success, "PROCESSED")
	if asked := s.asked(); len(asked) != 0 {
		t.Errorf("a signed success was read again: %v", asked)
	}
	told := s.orders.calls(r.GetPurchase().GetOrderId())
	if len(told) != 1 || told[0].GetReason() != ordersv1.AdvanceOrderRequest_WEBHOOK {
		t.Fatalf("Orders was told %v", told)
	}
	charge := s.account().Charges[0]
	if p := told[0].GetPayment(); p.GetStatus() != pb.Payment_SUCCEEDED || p.GetChargeId() != charge.ID || p.GetAmountMinor() != price ||
		p.GetCurrency() != "USD" || p.GetChargedAt().AsTime().Sub(s.clock.Now()).Abs() > 2*time.Second {
		t.Errorf("of %v", p)
	}
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	if got := s.ledger(success, `concat_ws(' ', type, livemode, api_version, attempt_count, retry_count, resolution_method, customer_id, last_error, processed_at IS NOT NULL, next_look_at IS NULL)`); got !=
		"payment_intent.succeeded f 2023-10-16 1 0 payment_intent "+s.account().Customers[0].ID+" t t" {
		t.Errorf("the ledger: %s", got)
	}
}

func TestARedeliveryOfAFinishedEventAddsNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, success := s.unrecorded()
	for range 3 {
		s.delivered(success, "PROCESSED")
	}
	if n := len(s.orders.calls(r.GetPurchase().GetOrderId())); n != 1 || s.ledger(success, "attempt_count") != "1" {
		t.Errorf("Orders was told %d times, %s attempts are counted", n, s.ledger(success, "attempt_count"))
	}
	// The charge's own event, and the success once recorded, need no reading.
	s.delivered(s.event("charge.succeeded"), "PROCESSED")
	if len(s.asked()) != 0 {
		t.Errorf("Stripe was asked %v", s.asked())
	}
}

func TestAnyChangeIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"amount":   {`"amount_received":24900`, `"amount_received":1`},
		"currency": {`"currency":"usd"`, `"currency":"eur"`},
		"customer": {`"customer":"cus_`, `"customer":"cus_x`},
		"charge":   {`"latest_charge":"ch_`, `"latest_charge":null,"x":"ch_`},
		"status":   {`"status":"succeeded"`, `"status":"processing"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			r, success := s.unrecorded()
			s.delivered(changed(compact(success), change...), "PROCESSED")
			if n := s.askedCount("GET /v1/payment_intents/*"); n != 1 {
				t.Errorf("read %d times", n)
			}
			if p := s.orders.calls("")[0].GetPayment(); p.GetStatus() != pb.Payment_SUCCEEDED || p.GetAmountMinor() != price || p.GetCurrency() != "USD" {
				t.Errorf("Orders was told %v", p)
			}
			s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
		})
	}
}

// A success that is not true is not believed, although it is signed.
func TestALateOrUntrueEventDoesNotOverwriteTheTruth(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_chargeDeclined")
	s.paid(r, pb.Payment_REQUIRES_PAYMENT_METHOD)
	failed := s.event("payment_intent.payment_failed")
	second := s.request(r.GetPurchase(), "pm_card_visa")
	s.paid(second, pb.Payment_SUCCEEDED)
	s.delivered(failed, "PROCESSED")
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	for _, told := range s.orders.calls("") {
		if told.GetPayment().GetStatus() != pb.Payment_SUCCEEDED {
			t.Errorf("the first card's failure told Orders %v", told.GetPayment())
		}
	}

	// The same while the second attempt is open: no news, and no decline.
	third := s.request(s.purchase("joe@example.com"), "pm_card_chargeDeclined")
	s.paid(third, pb.Payment_REQUIRES_PAYMENT_METHOD)
	failed = s.event("payment_intent.payment_failed")
	end := s.fault(confirmPath, "reset_before", 0, 0)
	fourth := s.request(third.GetPurchase(), "pm_card_visa")
	s.paid(fourth, pb.Payment_UNKNOWN)
	s.delivered(failed, "PROCESSED")
	if n := len(s.orders.calls(third.GetPurchase().GetOrderId())); n != 0 {
		t.Errorf("Orders was told %d times of an old failure", n)
	}
	end()
	s.paid(fourth, pb.Payment_SUCCEEDED)
}

func TestADeclineInTheBrowsersEventIsTold(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_authenticationRequired")
	act := s.paid(r, pb.Payment_REQUIRES_ACTION)
	s.authenticate(act.GetPaymentIntentId(), "fail")
	s.delivered(s.event("payment_intent.payment_failed"), "PROCESSED")
	told := s.orders.calls(r.GetPurchase().GetOrderId())
	if len(told) != 1 || told[0].GetPayment().GetDecline().GetCode() == "" || told[0].GetPayment().GetAttemptId() != r.GetAttemptId() {
		t.Errorf("Orders was told %v", told)
	}
}

func TestWhatIsNotSignedIsNotStored(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	_, success := s.unrecorded()
	now := s.clock.Now()
	for name, header := range map[string]string{
		"unsigned": "", "another secret": sign("whsec_x", now, success), "old": sign(webhookSecret, now.Add(-6*time.Minute), success),
		"future": sign(webhookSecret, now.Add(6*time.Minute), success), "another body": sign(webhookSecret, now, []byte("{}")),
	} {
		_, err := s.edge.ReceiveWebhook(s.context(), &pb.ReceiveWebhookRequest{Payload: success, Signature: header})
		wantError(t, name, err, codes.InvalidArgument, "INVALID_SIGNATURE")
	}
	if n := s.text(`SELECT count(*)::text FROM payments.webhook_events`); n != "0" {
		t.Errorf("%s rows", n)
	}
	if _, err := s.edge.ReceiveWebhook(s.context(), &pb.ReceiveWebhookRequest{Payload: success, Signature: sign(oldSecret, now, success)}); err != nil {
		t.Errorf("signed with the secret before the rotation: %v", err)
	}
}

// Processed means that Orders has it: until then Stripe is told to come again,
// and our own retry goes on without Stripe.
func TestAnEventIsFinishedOnlyWithItsEffect(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, success := s.unrecorded()
	orderID := r.GetPurchase().GetOrderId()
	s.orders.set(func() { s.orders.down = true })
	s.notYet(success)
	if got := s.ledger(success, `concat_ws(' ', status, attempt_count, next_look_at > received_at)`); got != "RECEIVED 1 t" {
		t.Errorf("the ledger: %s", got)
	}
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED) // recorded here all the same
	s.notYet(success)                             // the redelivery is worked, not called a duplicate
	if got := s.ledger(success, "attempt_count"); got != "2" || len(s.orders.calls(orderID)) != 2 {
		t.Errorf("%s attempts, Orders was told %d times", got, len(s.orders.calls(orderID)))
	}

	// Orders answers, and has not taken the money.
	s.orders.set(func() { s.orders.down, s.orders.state = false, ordersv1.Order_PENDING })
	s.notYet(success)

	s.orders.set(func() { s.orders.state = ordersv1.Order_CHARGED })
	s.clock.Advance(time.Minute)
	await(t, "our own retry", func() bool { return s.ledger(success, "status") == "PROCESSED" })
	if got := s.ledger(success, `concat_ws(' ', attempt_count, retry_count, last_error)`); got != "3 1" {
		t.Errorf("the ledger: %s", got)
	}
	s.delivered(success, "PROCESSED")
}

func TestAnEventThatCannotBeHandledBecomesACaseAndIsRetried(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	_, success := s.unrecorded()
	var e struct{ ID string }
	if err := json.Unmarshal(success, &e); err != nil {
		t.Fatal(err)
	}
	s.orders.set(func() { s.orders.down = true })
	for n := range 9 {
		s.notYet(success)
		if got := s.ledger(success, "status"); got != "RECEIVED" {
			t.Fatalf("%s after %d handlings", got, n+1)
		}
	}
	cases := func() int { return s.cases.count(reconciliationv1.Case_FAILED_EVENT, "event/"+e.ID) }
	if cases() != 0 {
		t.Error("a case before the cap")
	}
	s.notYet(success)
	if got := s.ledger(success, "status"); got != "FAILED" || cases() != 1 {
		t.Errorf("%s with %d cases at the cap", got, cases())
	}
	s.notYet(success) // still not acknowledged
	s.orders.set(func() { s.orders.down = false })
	s.clock.Advance(2 * time.Hour)
	await(t, "our own retry of a failed event", func() bool { return s.ledger(success, "status") == "PROCESSED" })
}

func TestTwoHundredDeliveriesAtOnceAreOneHandling(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, success := s.unrecorded()
	s.orders.set(func() { s.orders.during = func() { time.Sleep(200 * time.Millisecond) } }) // slow: the others must wait
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			status, err := s.deliver(success)
			if err == nil && status != "PROCESSED" {
				t.Errorf("acknowledged as %s", status)
			} else if err != nil {
				wantError(t, "one of many", err, codes.Unavailable, "EVENT_NOT_HANDLED")
			}
		})
	}
	all.Wait()
	s.delivered(success, "PROCESSED")
	if n := len(s.orders.calls(r.GetPurchase().GetOrderId())); n != 1 || s.ledger(success, "attempt_count") != "1" {
		t.Errorf("Orders was told %d times, %s attempts", n, s.ledger(success, "attempt_count"))
	}
}

// A handling that was killed keeps the event to itself only for a while.
func TestAKilledHandlingIsFinishedByTheRetry(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, success := s.unrecorded()
	s.orders.set(func() { s.orders.down = true })
	s.notYet(success)
	s.orders.set(func() { s.orders.down = false })
	// As a kill leaves it: in hand for a while.
	s.exec(`UPDATE payments.webhook_events SET in_hand_until = $1, next_look_at = $1`, s.clock.Now().Add(10*time.Second))
	told := len(s.orders.calls(""))
	if _, err := s.deliver(success); err == nil {
		t.Error("acknowledged while another handling has it")
	}
	if n := len(s.orders.calls("")); n != told {
		t.Error("handled while another handling has it")
	}
	s.clock.Advance(11 * time.Second)
	await(t, "our own retry", func() bool { return s.ledger(success, "status") == "PROCESSED" })
	if n := len(s.orders.calls(r.GetPurchase().GetOrderId())); n != told+1 {
		t.Errorf("Orders was told %d times", n)
	}
}

// A handling that takes long says so again and again: nobody else begins one.
func TestALongHandlingKeepsItsEvent(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, success := s.unrecorded()
	held := make(chan struct{})
	s.orders.set(func() { s.orders.during = func() { <-held } })
	first := make(chan error, 1)
	go func() { _, err := s.deliver(success); first <- err }()
	inHand := func() string { return s.ledger(success, "in_hand_until") }
	await(t, "the first delivery", func() bool { return len(s.orders.calls(r.GetPurchase().GetOrderId())) == 1 })
	for range 2 {
		before := inHand()
		s.clock.Advance(9 * time.Second)
		await(t, "the handling keeps it", func() bool { return inHand() != before })
	}
	if n := len(s.orders.calls(r.GetPurchase().GetOrderId())); n != 1 {
		t.Errorf("%d handlings at once", n)
	}
	close(held)
	if err := <-first; err != nil || s.ledger(success, "status") != "PROCESSED" {
		t.Errorf("%v, %s", err, s.ledger(success, "status"))
	}
}

func TestARestartFinishesWhatWasInHand(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	_, success := s.unrecorded()
	s.orders.set(func() { s.orders.down = true })
	s.notYet(success)
	s.orders.set(func() { s.orders.down = false })
	s.exec(`UPDATE payments.webhook_events SET in_hand_until = $1, next_look_at = $1`, s.clock.Now().Add(time.Hour))
	s.instance()
	await(t, "the event", func() bool { return s.ledger(success, "status") == "PROCESSED" })
}

func TestTheOrderOfQuestions(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, success := s.unrecorded()
	var e struct{ ID string }
	if err := json.Unmarshal(success, &e); err != nil {
		t.Fatal(err)
	}
	pi, cus, order := s.account().Intents[0].ID, s.account().Customers[0].ID, r.GetPurchase().GetOrderId()
	for _, c := range []struct{ name, id, want, payload string }{
		{"a live event at a test key", "evt_live", "QUARANTINED", string(changed(compact(success), e.ID, "evt_live", `"livemode":false`, `"livemode":true`))},
		{"another seller's payment", "evt_foreign", "IGNORED", string(changed(compact(success), e.ID, "evt_foreign", pi, "pi_theirs", `"makegood_app":"makegood"`, `"makegood_app":"somebody"`))},
		{"an order id without our marker", "evt_unmarked", "IGNORED", string(changed(compact(success), e.ID, "evt_unmarked", pi, "pi_theirs", `"makegood_app"`, `"x"`))},
		{"a charge without an intent", "evt_charge", "IGNORED", `{"id":"evt_charge","type":"charge.succeeded","livemode":false,"data":{"object":{"id":"ch_1","object":"charge","payment_intent":null,"metadata":{"order_id":"1"}}}}`},
		{"nothing follows", "evt_plan", "IGNORED", `{"id":"evt_plan","type":"plan.created","livemode":false,"data":{"object":{"id":"plan_1"}}}`},
		{"an intent of another shape", "evt_shape", "QUARANTINED", `{"id":"evt_shape","type":"payment_intent.succeeded","livemode":false,"data":{"object":{"id":"pi_1","amount":"much"}}}`},
		{"an intent without an id", "evt_noid", "QUARANTINED", `{"id":"evt_noid","type":"payment_intent.succeeded","livemode":false,"data":{"object":{"object":"payment_intent"}}}`},
		{"an intent that is null", "evt_null", "QUARANTINED", `{"id":"evt_null","type":"payment_intent.succeeded","livemode":false,"data":{"object":null}}`},
		{"a charge of another shape", "evt_chshape", "QUARANTINED", `{"id":"evt_chshape","type":"charge.succeeded","livemode":false,"data":{"object":{"id":"ch_1","payment_intent":7}}}`},
		{"ours by its marker, and not known here", "evt_lost", "ORPHANED", string(changed(compact(success), e.ID, "evt_lost", pi, "pi_lost", cus, "cus_lost", order, uuid.NewString()))},
		{"another intent of a known order, that Stripe does not have", "evt_none", "QUARANTINED", string(changed(compact(success), e.ID, "evt_none", pi, "pi_none"))},
		{"our intent that came too late", "evt_late", "IGNORED", string(changed(compact(success), e.ID, "evt_late", pi, "pi_late", "payment_intent.succeeded", "payment_intent.canceled"))},
	} {
		s.delivered([]byte(c.payload), c.want)
		if note := s.text(`SELECT last_error FROM payments.webhook_events WHERE stripe_event_id = $1`, c.id); note == "" {
			t.Errorf("%s: the ledger does not say why", c.name)
		}
	}
	if n := len(s.orders.calls("")); n != 0 {
		t.Errorf("Orders was told %d times", n)
	}
	// Stripe says that there is no such intent.
	s.exec(`UPDATE payments.payments SET payment_intent_id = 'pi_gone'`)
	s.delivered(changed(compact(success), e.ID, "evt_gone", pi, "pi_gone", `"amount_received":24900`, `"amount_received":1`), "QUARANTINED")
}

func TestATestEventAtALiveKey(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	r, success := s.unrecorded()
	var e struct{ ID string }
	if err := json.Unmarshal(success, &e); err != nil {
		t.Fatal(err)
	}
	s.delivered(changed(compact(success), e.ID, "evt_test", `"livemode":true`, `"livemode":false`), "ORPHANED")
	if n := len(s.orders.calls("")); n != 0 || len(s.asked()) != 0 {
		t.Errorf("Orders was told %d times, Stripe asked %v", n, s.asked())
	}
	// Ours by its marker, succeeded, live, not known here, and Stripe says that there is no such intent.
	s.delivered(changed(compact(success), e.ID, "evt_lost", s.account().Intents[0].ID, "pi_lost"), "QUARANTINED")
	s.delivered(success, "PROCESSED")
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
}

func TestStripeAwayLeavesTheEventOpen(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	_, success := s.unrecorded()
	end := s.fault("GET /v1/payment_intents/*", "error_before", 0, 503)
	s.notYet(s.event("charge.succeeded")) // it tells too little by itself
	end()
	s.delivered(s.event("charge.succeeded"), "PROCESSED")
	s.delivered(success, "PROCESSED")
}

func TestWhatIsSignedAndNotReadableIsKept(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	bodies := []string{
		"", "null", "{", "\ufeff{}", "\x00\xff\xfe", `{"id":"evt_\u0000","type":"x","data":{"object":{}}}`,
		`{"id":"evt_1","type":"x","data":{"object":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}}`,
		`{"id":"` + strings.Repeat("e", 5000) + `","type":"x","data":{"object":{}}}`,
	}
	for _, body := range bodies {
		for range 2 {
			if status, err := s.deliver([]byte(body)); err != nil || status != "QUARANTINED" {
				t.Errorf("%.40q: %q, %v", body, status, err)
			}
		}
		if n := s.text(`SELECT count(*)::text FROM payments.webhook_events WHERE payload = $1 AND status = 'QUARANTINED'`, []byte(body)); n != "1" {
			t.Errorf("%.40q is kept %s times", body, n)
		}
	}
	if n := s.text(`SELECT count(*)::text FROM payments.webhook_events`); n != fmt.Sprint(len(bodies)) {
		t.Errorf("%s rows for %d bodies", n, len(bodies))
	}
}
