package payments_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	pb "makegood.example/proto/gen/payments/v1"
)

// handledTypes are those whose objects are looked into.
var handledTypes = []string{
	"payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled", "payment_intent.processing", "payment_intent.requires_action",
	"charge.succeeded", "charge.refunded", "charge.refund.updated", "refund.created", "refund.updated", "refund.failed",
	"charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated",
	"radar.early_fraud_warning.created",
	"checkout.session.completed", "checkout.session.expired", "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed",
	"customer.subscription.created", "customer.subscription.updated", "customer.subscription.paused", "customer.subscription.resumed", "customer.subscription.deleted",
	"invoice.paid", "invoice.payment_failed", "invoice.payment_action_required", "customer.deleted",
}

// Whatever an object of a kind that we handle may look like: the sender gets an
// answer that ends the matter, and nothing follows from it.
func TestObjectsOfAnyShapeAreDecided(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	deep := strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000)
	n := 0
	for _, eventType := range handledTypes {
		for _, object := range []string{
			`null`, `7`, `"pi_1"`, `[]`, `{}`, `{"id":7}`, `{"id":""}`, `{"id":null,"object":null}`, `{"id":{"id":"pi_1"}}`,
			`{"id":"ch_1","object":"charge","payment_intent":7,"metadata":[]}`, `{"id":"pi_1","object":"payment_intent","amount":1e400}`,
			`{"id":"re_1","object":"refund","charge":7}`, `{"id":"re_1","object":"refund","charge":{"id":7}}`, `{"id":"dp_1","object":"dispute","charge":["ch_1"]}`,
			`{"id":"pi_1","id":"pi_2","object":"payment_intent","status":"succeeded","status":"canceled"}`,
			`{"id":"../../v1/customers","object":"charge"}`, `{"id":"ch_1?expand[]=x#","object":"charge"}`, `{"id":"ch_%00","object":"charge"}`,
			`{"id":"pi_1","latest_charge":[1],"last_payment_error":"no","charges":{"data":[null]}}`, `{"id":"pi_1","metadata":` + deep + `}`,
			`{"id":"cs_1","object":"checkout.session","payment_intent":7,"metadata":7,"client_reference_id":{}}`,
			`{"id":"sub_1?expand[]=x#","object":"subscription","metadata":{"makegood_app":"makegood"}}`, `{"id":"in_1","object":"invoice","subscription":["sub_1"],"customer":{"id":[]}}`,
			`{"id":"in_1","object":"invoice","subscription":"../charges","customer":"cus_%00","subscription_details":{"metadata":7}}`, `{"id":{"id":{}},"object":"customer","deleted":"yes"}`,
		} {
			n++
			payload := fmt.Appendf(nil, `{"id":"evt_%d","type":%q,"livemode":false,"created":1,"data":{"object":%s}}`, n, eventType, object)
			status, err := s.deliver(payload)
			// Of ours, as it says of itself, it may wait for names; nothing follows from that either.
			orphaned := status == "ORPHANED" && strings.Contains(object, "makegood_app")
			if err != nil || status != "QUARANTINED" && status != "IGNORED" && !orphaned {
				t.Errorf("%s with %.80s: %q, %v", eventType, object, status, err)
			}
		}
	}
	if rows := s.text(`SELECT count(*)::text FROM payments.webhook_events WHERE last_error IS NOT NULL`); rows != fmt.Sprint(n) {
		t.Errorf("%s rows say why, for %d events", rows, n)
	}
	if told := s.orders.calls(""); len(told) != 0 {
		t.Errorf("Orders was told %v", told)
	}
	for _, r := range s.asked() {
		if r.method != "GET" || !strings.HasPrefix(r.path, "/v1/charges/") && !strings.HasPrefix(r.path, "/v1/customers/") {
			t.Errorf("Stripe was asked %s %s", r.method, r.path)
		}
	}
}

func TestBodiesOfAnyShapeAreDecided(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	_, success := s.unrecorded()
	good := string(compact(success))
	big := func(size int) string {
		head, tail := `{"id":"evt_big","type":"charge.succeeded","livemode":false,"data":{"object":{"id":"ch_1","x":"`, `"}}}`
		return head + strings.Repeat("x", size-len(head)-len(tail)) + tail
	}
	bodies := map[string]string{
		"truncated": good[:len(good)-1], "half": good[:len(good)/2], "a byte-order mark": "\ufeff" + good, "two bodies": good + good, "text after it": good + "x",
		"duplicate keys":     `{"id":"evt_a","id":"evt_b","type":"x","type":"y","data":{"object":{}},"data":{"object":{"id":"1"}}}`,
		"numbers as ids":     `{"id":7,"type":"charge.succeeded","data":{"object":{"id":7}}}`,
		"a text as livemode": `{"id":"evt_c","type":"charge.succeeded","livemode":"no","data":{"object":{"id":"ch_1"}}}`,
		"not UTF-8":          "{\"id\":\"evt_\xff\xfe\",\"type\":\"x\",\"data\":{\"object\":{}}}",
		"20,000 levels":      `{"id":"evt_d","type":"charge.succeeded","data":{"object":` + strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000) + `}}`,
		"1 MiB":              big(1 << 20),
	}
	for name, body := range bodies {
		// Unsigned it is refused, whatever it is, and leaves nothing.
		_, err := s.edge.ReceiveWebhook(s.context(), &pb.ReceiveWebhookRequest{Payload: []byte(body), Signature: "t=1,v1=00"})
		wantError(t, "unsigned: "+name, err, codes.InvalidArgument, "INVALID_SIGNATURE")
	}
	if n := s.text(`SELECT count(*)::text FROM payments.webhook_events`); n != "0" {
		t.Fatalf("%s rows of what nobody signed", n)
	}
	for name, body := range bodies {
		for range 2 {
			if status, err := s.deliver([]byte(body)); err != nil || status != "QUARANTINED" && status != "IGNORED" {
				t.Errorf("%s: %q, %v", name, status, err)
			}
		}
		if n := s.text(`SELECT count(*)::text FROM payments.webhook_events WHERE payload = $1`, []byte(body)); n != "1" {
			t.Errorf("%s is kept %s times", name, n)
		}
	}
	_, err := s.deliver([]byte(big(1<<20 + 1)))
	wantError(t, "more than 1 MiB", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	s.look(&pb.Purchase{OrderId: s.text(`SELECT order_id::text FROM payments.payments`), Reference: s.text(`SELECT reference::text FROM payments.payments`),
		PlanId: "annual", AmountMinor: price, Currency: "USD", Email: "jane@example.com", OrderedAt: s.purchase("x@example.com").GetOrderedAt()}, pb.Payment_SUCCEEDED)
	s.delivered(success, "PROCESSED") // and the true one is still heard
}
