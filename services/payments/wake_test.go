package payments_test

import (
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
)

// A live event that waits is woken by the name that it waits for, and not by the
// clock: here its customer buys something.
func TestALiveEventIsWokenWhenItsCustomerIsKnown(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	customer := s.newCustomer("jane@example.com", ours())
	waits := bySubscription("waits", true, customer, ours())
	s.notYet(waits)
	if due := s.ledger(waits, "(next_look_at > received_at + interval '1 second')::text"); due != "true" {
		t.Fatal("it does not wait")
	}
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	s.paid(r, pb.Payment_SUCCEEDED)
	// The person turns out to have this customer, too.
	s.exec(`UPDATE payments.payments SET customer_id = $1`, customer)
	other := body("evt_other", "plan.created", true, map[string]any{"id": "plan_1", "customer": customer})
	s.delivered(other, "IGNORED")
	s.exec(`UPDATE payments.webhook_events SET customer_id = $1 WHERE stripe_event_id = 'evt_other'`, customer)
	if _, err := s.desk.LinkWebhookEvent(s.as(access.Support), &pb.LinkWebhookEventRequest{StripeEventId: "evt_other", OrderId: r.GetPurchase().GetOrderId(), Reason: "it is Jane's"}); err != nil {
		t.Fatal(err)
	}
	await(t, "the event that waited, with the clock standing still", func() bool { return s.ledger(waits, "resolution_method") == "customer_id" })
}

// A page of Stripe's that was not made here may name the account that buys.
func TestResolvedByClientReferenceToAnAccount(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	orderID, _ := s.buyer("jane@example.com", "acct-7")
	var price struct{ ID string }
	s.call("/v1/prices", url.Values{"currency": {"usd"}, "unit_amount": {"24900"}, "recurring[interval]": {"year"}, "product_data[name]": {"By a link"}, "metadata[plan_id]": {"annual-subscription"}}, &price)
	customer := s.newCustomer("j.doe@example.com", nil)
	var page struct{ ID string }
	s.call("/v1/checkout/sessions", url.Values{
		"mode": {"subscription"}, "customer": {customer}, "success_url": {"https://example.com"}, "client_reference_id": {"acct-7"},
		"metadata[makegood_app]": {"makegood"}, "line_items[0][quantity]": {"1"}, "line_items[0][price]": {price.ID},
	}, &page)
	s.orders.set(func() { s.orders.has = map[string]bool{orderID: true} })
	s.paysThere(page.ID, "pm_card_visa")
	s.wantMethod(s.event(completeEvent), "client_reference_id")
	if n := len(s.orders.adopted); n != 1 || s.orders.adopted[0].GetAccountId() != "acct-7" || s.orders.adopted[0].GetEmail() != "jane@example.com" {
		t.Errorf("adopted: %v", s.orders.adopted)
	}
}

func TestAnEventIsLinkedToAnAccount(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.buyer("jane@example.com", "acct-7")
	waits := bySubscription("waits", false, s.newCustomer("x@example.com", ours()), ours())
	s.delivered(waits, "ORPHANED")
	link := func(r *pb.LinkWebhookEventRequest) error {
		r.StripeEventId, r.Reason = s.ledger(waits, "stripe_event_id"), "she called"
		_, err := s.desk.LinkWebhookEvent(s.as(access.Support), r)
		return err
	}
	wantError(t, "neither", link(&pb.LinkWebhookEventRequest{}), codes.InvalidArgument, "INVALID_ARGUMENT")
	wantError(t, "both", link(&pb.LinkWebhookEventRequest{OrderId: uuid.NewString(), AccountId: "acct-7"}), codes.InvalidArgument, "INVALID_ARGUMENT")
	wantError(t, "an account that bought nothing", link(&pb.LinkWebhookEventRequest{AccountId: "acct-8"}), codes.NotFound, "PAYMENT_NOT_FOUND")
	for range 2 {
		if err := link(&pb.LinkWebhookEventRequest{AccountId: "acct-7"}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "its replay", func() bool { return s.ledger(waits, "resolution_method") == "customer_id" })
	if who := s.text(`SELECT string_agg(DISTINCT account_id || ' by ' || actor, ',') FROM payments.event_actions WHERE action = 'LINKED'`); who != "acct-7 by a support" {
		t.Errorf("the audit says %q", who)
	}
}

// Linking and letting events wait at the same moment: each waits for the other in
// one order, and nobody for ever.
func TestLinkingWhileEventsBeginToWait(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	orderID, _ := s.buyer("jane@example.com", "")
	var all sync.WaitGroup
	for n := range 24 {
		event := bySubscription(fmt.Sprint("hammer", n), false, s.newCustomer(fmt.Sprintf("x%d@example.com", n), ours()), ours())
		s.delivered(event, "ORPHANED")
		id := s.ledger(event, "stripe_event_id")
		all.Go(func() {
			// Its customer may become known while it is looked for: then it is due again.
			_, err := s.desk.ReplayWebhookEvent(s.as(access.Support), &pb.ReplayWebhookEventRequest{StripeEventId: id})
			if e := apperr.Of(err); err != nil && e.Reason != "EVENT_NOT_HANDLED" {
				t.Errorf("replay: %v", err)
			}
		})
		all.Go(func() {
			if _, err := s.desk.LinkWebhookEvent(s.as(access.Support), &pb.LinkWebhookEventRequest{StripeEventId: id, OrderId: orderID, Reason: "hers"}); err != nil {
				t.Errorf("link: %v", err)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("they wait for each other")
	}
	await(t, "all of them are handled", func() bool {
		return s.text(`SELECT count(*)::text FROM payments.webhook_events WHERE stripe_event_id LIKE 'hammer%' AND resolution_method = 'customer_id'`) == "24"
	})
	if n := s.text(`SELECT deadlocks::text FROM pg_stat_database WHERE datname = current_database()`); n != "0" {
		t.Errorf("%s deadlocks", n)
	}
}

// A look learns nothing from an intent that turns out to be somebody else's.
func TestALookAtAnothersIntent(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, _ := s.unrecorded()
	s.exec(`UPDATE payments.payments SET customer_id = 'cus_else'`)
	p, err := s.pay.LookAtPayment(s.context(), &pb.LookAtPaymentRequest{Purchase: r.GetPurchase()})
	if err != nil || p.GetStatus() == pb.Payment_SUCCEEDED {
		t.Errorf("%v %v", p, err)
	}
	if n := s.cases.count(reconciliationv1.Case_UNKNOWN_PAYMENT, "order/"+r.GetPurchase().GetOrderId()); n == 0 {
		t.Error("no case")
	}
}
