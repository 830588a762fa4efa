package payments_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	pb "makegood.example/proto/gen/payments/v1"
)

// foreignEvent is an event of another application on the account, about which
// nothing is known here.
func foreignEvent(id, eventType, object string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"object":"event","type":%q,"api_version":"2023-10-16","created":1772366400,"livemode":false,"data":{"object":%s}}`, id, eventType, object)
}

// Events that come together share commits: each caller gets its own answer, two
// deliveries of one event make one row, and a row that the database refuses
// fails alone.
func TestEventsThatShareACommit(t *testing.T) {
	s := newScene(t, nil)
	// Refused at the commit, when every row of it was answered already.
	s.exec(`CREATE FUNCTION payments.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$`)
	s.exec(`CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON payments.webhook_events DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW WHEN (new.object_id = 'refused') EXECUTE FUNCTION payments.refuse()`)
	const n = 120
	var done sync.WaitGroup
	answers := make([]error, 2*n)
	for i := range 2 * n {
		done.Go(func() {
			object := `{"id":"price_1"}`
			if i%n%30 == 7 {
				object = `{"id":"refused"}`
			}
			status, err := s.deliver(foreignEvent(fmt.Sprintf("evt_shared_%d", i%n), "price.updated", object))
			if err == nil && status != "IGNORED" {
				err = fmt.Errorf("it is %s", status)
			}
			answers[i] = err
		})
	}
	done.Wait()
	for i, err := range answers {
		if refused := i%n%30 == 7; refused != (err != nil) {
			t.Errorf("event %d: %v", i%n, err)
		}
	}
	if got := s.text(`SELECT count(*) || ' ' || count(DISTINCT payload) FROM payments.webhook_events WHERE status = 'IGNORED' AND attempt_count = 1`); got != "116 116" {
		t.Errorf("filed: %s", got)
	}
	if got := s.text(`SELECT count(*)::text FROM payments.webhook_events WHERE object_id = 'refused'`); got != "0" {
		t.Errorf("%s rows that were refused", got)
	}
}

// An event without our marker is somebody else's only when nothing that it
// names is known here.
func TestWhatIsKnownHereIsNobodyElses(t *testing.T) {
	s := newScene(t, nil)
	paid := s.bought("pm_card_visa")
	customer := s.text(`SELECT customer_id FROM payments.payments`)
	for _, c := range []struct{ name, eventType, object, want string }{
		{"our intent", "payment_intent.succeeded", fmt.Sprintf(`{"id":%q,"object":"payment_intent"}`, paid.GetPaymentIntentId()), "PROCESSED"},
		{"our charge", "charge.succeeded", fmt.Sprintf(`{"id":%q,"object":"charge","payment_intent":%q}`, paid.GetChargeId(), paid.GetPaymentIntentId()), "PROCESSED"},
		{"our charge, refunded", "charge.refunded", fmt.Sprintf(`{"id":%q,"object":"charge","payment_intent":"pi_x"}`, paid.GetChargeId()), "PROCESSED"},
		{"another intent of our customer", "payment_intent.succeeded", fmt.Sprintf(`{"id":"pi_theirs","object":"payment_intent","customer":%q}`, customer), "IGNORED"},
		{"another charge", "charge.succeeded", `{"id":"ch_theirs","object":"charge","payment_intent":"pi_theirs_2","customer":"cus_theirs"}`, "IGNORED"},
	} {
		id := "evt_" + strings.ReplaceAll(c.name, " ", "_")
		if status, err := s.deliver(foreignEvent(id, c.eventType, c.object)); err != nil || status != c.want {
			t.Errorf("%s: %s, %v", c.name, status, err)
		}
	}
	// Of a subscription that is followed here, whoever changes it.
	s.exec(`INSERT INTO payments.subscriptions (subscription_id, order_id, customer_id, status, renews, period_start, period_end, next_look_at)
		SELECT 'sub_known', order_id, 'cus_elsewhere', 'ACTIVE', true, created_at, created_at + interval '1 year', created_at + interval '1 year' FROM payments.payments`)
	_, _ = s.deliver(foreignEvent("evt_our_subscription", "customer.subscription.updated", `{"id":"sub_known","object":"subscription"}`))
	if got := s.text(`SELECT coalesce(resolution_method, '') || coalesce(last_error, '') FROM payments.webhook_events WHERE stripe_event_id = 'evt_our_subscription'`); got == "foreign" {
		t.Error("a change of our subscription is taken for somebody else's")
	}
	if got := s.text(`SELECT waits_for[1] FROM payments.webhook_events WHERE stripe_event_id = 'evt_another_intent_of_our_customer'`); got != "pi_theirs" {
		t.Errorf("an intent of our customer waits for %q", got)
	}
}

// Of deliveries that come together, those from which nothing follows are filed
// together, and with every other nothing is done.
func TestDeliveriesThatComeTogether(t *testing.T) {
	s := newScene(t, nil)
	paid := s.bought("pm_card_visa")
	s.exec(`CREATE FUNCTION payments.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$`)
	s.exec(`CREATE TRIGGER refuse BEFORE INSERT ON payments.webhook_events FOR EACH ROW WHEN (new.object_id = 'refused') EXECUTE FUNCTION payments.refuse()`)
	theirs := foreignEvent("evt_theirs", "payment_intent.succeeded", `{"id":"pi_theirs","object":"payment_intent"}`)
	cases := []struct {
		name, want string
		payload    []byte
		unsigned   bool
	}{
		{name: "somebody else's", want: "IGNORED", payload: theirs},
		{name: "the same again", payload: theirs},
		{name: "unsigned", payload: foreignEvent("evt_unsigned", "price.updated", `{"id":"price_1"}`), unsigned: true},
		{name: "of our intent", payload: foreignEvent("evt_ours", "payment_intent.succeeded", fmt.Sprintf(`{"id":%q,"object":"payment_intent"}`, paid.GetPaymentIntentId()))},
		{name: "refused by the database", payload: foreignEvent("evt_refused", "price.updated", `{"id":"refused"}`)},
		{name: "unreadable", want: "QUARANTINED", payload: []byte("no JSON")},
		{name: "of no consequence", want: "IGNORED", payload: foreignEvent("evt_price", "price.updated", `{"id":"price_1"}`)},
	}
	for round, again := range []bool{false, true} {
		request := &pb.FileWebhooksRequest{}
		for _, c := range cases {
			signature := sign(webhookSecret, s.clock.Now(), c.payload)
			if c.unsigned {
				signature = "t=1,v1=00"
			}
			request.Deliveries = append(request.Deliveries, &pb.ReceiveWebhookRequest{Payload: c.payload, Signature: signature})
		}
		reply, err := s.edge.FileWebhooks(s.context(), request)
		if err != nil || len(reply.GetStatuses()) != len(cases) {
			t.Fatal(reply, err)
		}
		for i, c := range cases {
			want := c.want
			if again { // filed already: ReceiveWebhook knows what became of it
				want = ""
			}
			if got := reply.GetStatuses()[i]; got != want {
				t.Errorf("round %d, %s: %q, want %q", round, c.name, got, want)
			}
		}
	}
	if got := s.text(`SELECT count(*) || ' ' || sum(attempt_count) FROM payments.webhook_events`); got != "3 3" {
		t.Errorf("events and attempts: %s", got)
	}
	if status, err := s.deliver(theirs); err != nil || status != "IGNORED" {
		t.Errorf("delivered again by itself: %s, %v", status, err)
	}
}

// The one statement for several leaves out what is known here, by each kind of name.
func TestWhatIsKnownHereIsNotFiledWithOthers(t *testing.T) {
	s := newScene(t, nil)
	paid := s.bought("pm_card_visa")
	request := &pb.FileWebhooksRequest{}
	for i, c := range []struct{ eventType, object string }{
		{"payment_intent.succeeded", `{"id":"pi_theirs","object":"payment_intent"}`},
		{"payment_intent.succeeded", fmt.Sprintf(`{"id":%q,"object":"payment_intent"}`, paid.GetPaymentIntentId())},
		{"charge.refunded", fmt.Sprintf(`{"id":%q,"object":"charge","payment_intent":"pi_x"}`, paid.GetChargeId())},
		{"customer.subscription.created", fmt.Sprintf(`{"id":"sub_by_hand","object":"subscription","customer":%q}`, paid.GetCustomerId())},
		{"charge.succeeded", `{"id":"ch_theirs","object":"charge","payment_intent":"pi_theirs","customer":"cus_theirs"}`},
	} {
		payload := foreignEvent(fmt.Sprintf("evt_beside_%d", i), c.eventType, c.object)
		request.Deliveries = append(request.Deliveries, &pb.ReceiveWebhookRequest{Payload: payload, Signature: sign(webhookSecret, s.clock.Now(), payload)})
	}
	reply, err := s.edge.FileWebhooks(s.context(), request)
	if got := strings.Join(reply.GetStatuses(), " "); err != nil || got != "IGNORED    IGNORED" {
		t.Errorf("%q, %v", got, err)
	}
}
