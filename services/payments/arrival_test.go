package payments_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"sync"
	"testing"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/payments/v1"
)

// paidInTheBrowser is an order that was refused once, paid, and refunded, all of
// it at Stripe and none of it known here; events are what Stripe has to tell.
func (s *scene) paidInTheBrowser() (r *pb.PayRequest, events map[string][]byte) {
	s.t.Helper()
	before := len(s.account().Events)
	r = s.request(s.purchase("jane@example.com"), "")
	open := s.paid(r, pb.Payment_REQUIRES_PAYMENT_METHOD)
	confirm := "/v1/payment_intents/" + open.GetPaymentIntentId() + "/confirm"
	s.callRefused(confirm, url.Values{"payment_method": {"pm_card_chargeDeclined"}})
	s.call(confirm, url.Values{"payment_method": {"pm_card_visa"}}, nil)
	a := s.account()
	s.atStripe(a.Charges[len(a.Charges)-1].ID, price)
	events = map[string][]byte{}
	for _, raw := range s.account().Events[before:] {
		var e struct{ Type string }
		if err := json.Unmarshal(raw, &e); err != nil {
			s.t.Fatal(err)
		}
		events[e.Type] = raw
	}
	return r, events
}

// wantPaidAndRefunded is the one end of the order, whatever came first.
func (s *scene) wantPaidAndRefunded(r *pb.PayRequest) {
	s.t.Helper()
	orderID := r.GetPurchase().GetOrderId()
	if got := s.text(`SELECT concat_ws(' ', p.status, p.refunded_minor, a.status, a.next_look_at IS NULL, (SELECT count(*) FROM payments.refunds f WHERE f.order_id = p.order_id))
		FROM payments.payments p JOIN payments.attempts a ON a.payment_id = p.id WHERE p.order_id = $1`, orderID); got != "SUCCEEDED 24900 SUCCEEDED t 1" {
		s.t.Errorf("recorded: %s", got)
	}
}

// Stripe was silent, and then tells everything in an order of its own, each more
// than once.
func TestTheOrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	for n, types := range permutations([]string{"payment_intent.created", "payment_intent.succeeded", "charge.succeeded", "charge.refunded"}) {
		r, events := s.paidInTheBrowser()
		orderID := r.GetPurchase().GetOrderId()
		types = slices.Insert(types, n%5, "payment_intent.payment_failed") // the first card's, wherever it comes
		for _, eventType := range types {
			want := "PROCESSED"
			if eventType == "payment_intent.created" {
				want = "IGNORED"
			}
			for range 2 {
				s.delivered(events[eventType], want)
			}
		}
		s.wantPaidAndRefunded(r)
		if told := s.lastTold(orderID); told.GetStatus() != pb.Payment_SUCCEEDED || told.GetRefundedMinor() != price {
			t.Errorf("%v: Orders was told last %v", types, told)
		}
		for _, told := range s.orders.calls(orderID) {
			if told.GetPayment().GetStatus() != pb.Payment_SUCCEEDED {
				t.Errorf("%v: Orders was told %v", types, told.GetPayment())
			}
		}
		before := len(s.orders.calls(orderID))
		for _, eventType := range types {
			_, _ = s.deliver(events[eventType])
		}
		if len(s.orders.calls(orderID)) != before {
			t.Errorf("%v: a redelivery was handled again", types)
		}
		// A copy under another id, as from a second endpoint, is news again and changes nothing.
		var e struct{ ID string }
		if err := json.Unmarshal(events["payment_intent.payment_failed"], &e); err != nil {
			t.Fatal(err)
		}
		s.delivered(changed(events["payment_intent.payment_failed"], e.ID, e.ID+"_copy"), "PROCESSED")
		s.wantPaidAndRefunded(r)
	}
}

// All at once, several times: one record, and Orders hears of the whole refund.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	for range 4 {
		r, events := s.paidInTheBrowser()
		var all sync.WaitGroup
		for _, payload := range events {
			for range 3 {
				all.Go(func() { s.deliverAgain(payload) })
			}
		}
		all.Wait()
		s.wantPaidAndRefunded(r)
		if !slices.ContainsFunc(s.orders.calls(r.GetPurchase().GetOrderId()), func(c *ordersv1.AdvanceOrderRequest) bool {
			return c.GetPayment().GetRefundedMinor() == price
		}) {
			t.Error("Orders was not told of the refund")
		}
	}
}
