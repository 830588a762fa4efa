package payments_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// unknown are events of ours about which nothing is known here.
func unknown(live bool) map[string][]byte {
	order := uuid.NewString()
	charge := map[string]any{"id": "ch_lost", "object": "charge", "payment_intent": "pi_lost", "customer": "cus_lost", "metadata": ours("order_id", order)}
	intent := map[string]any{"id": "pi_lost", "object": "payment_intent", "status": "succeeded", "customer": "cus_lost", "metadata": ours("order_id", order)}
	session := map[string]any{"id": "cs_lost", "object": "checkout.session", "customer": "cus_lost", "client_reference_id": order, "metadata": ours("order_id", order)}
	subscription := map[string]any{"id": "sub_lost", "object": "subscription", "customer": "cus_lost", "metadata": ours("order_id", order)}
	invoice := map[string]any{"id": "in_lost", "object": "invoice", "customer": "cus_lost", "subscription": "sub_lost", "subscription_details": map[string]any{"metadata": ours()}}
	all := map[string][]byte{}
	for eventType, object := range map[string]map[string]any{
		"payment_intent.succeeded": intent, "charge.succeeded": charge, "charge.refunded": charge,
		"checkout.session.completed": session, "checkout.session.expired": session,
		"customer.subscription.created": subscription, "customer.subscription.updated": subscription, "customer.subscription.deleted": subscription,
		"invoice.paid": invoice, "invoice.payment_failed": invoice,
	} {
		all[eventType] = body("evt_"+eventType, eventType, live, object)
	}
	return all
}

func TestNobodyFoundInTestModeIsOrphanedAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	for _, payload := range unknown(false) {
		s.delivered(payload, "ORPHANED")
	}
	if told := s.orders.calls(""); len(told) != 0 {
		t.Errorf("Orders was told %v", told)
	}
}

func TestNobodyFoundLive(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	for eventType, payload := range unknown(true) {
		switch eventType {
		case "payment_intent.succeeded", "charge.succeeded": // the orphan path, now; and Stripe has no such intent
			s.delivered(payload, "QUARANTINED")
		case "customer.subscription.deleted":
			s.delivered(payload, "ORPHANED")
		case "checkout.session.completed":
			for range 8 {
				s.notYet(payload)
				if n := s.cases.count(reconciliationv1.Case_UNCLEAR_EVENT, "event/evt_"+eventType); n == 0 {
					t.Errorf("no case after %s attempts", s.ledger(payload, "attempt_count"))
				}
			}
		default:
			for range 5 {
				s.notYet(payload)
			}
			s.delivered(payload, "ORPHANED")
			if got := s.ledger(payload, "attempt_count"); got != "6" {
				t.Errorf("%s: %s attempts", eventType, got)
			}
		}
	}
	if told := s.orders.calls(""); len(told) != 0 {
		t.Errorf("Orders was told %v", told)
	}
	if n := s.text(`SELECT count(*)::text FROM payments.payments`); n != "0" {
		t.Errorf("%s payments were recorded", n)
	}
}

func TestOurOwnRetriesDoNotUseUpStripesAttempts(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	payload := unknown(true)["customer.subscription.updated"]
	s.notYet(payload)
	for n := 1; n <= 8; n++ {
		s.clock.Advance(time.Hour)
		await(t, "our own retry", func() bool {
			return s.ledger(payload, "retry_count >= "+string(rune('0'+n))+" AND in_hand_until IS NULL") == "true"
		})
	}
	if got := s.ledger(payload, "concat_ws(' ', status, attempt_count)"); got != "RECEIVED 1" {
		t.Errorf("the ledger: %s", got)
	}
	for range 4 {
		s.notYet(payload)
	}
	s.delivered(payload, "ORPHANED")
}

func TestStripeAwayIsNotYetWhenItWasToTellWhose(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	end := s.fault("GET /v1/payment_intents/*", "error_before", 0, 503)
	payload := unknown(true)["charge.succeeded"]
	endToo := s.fault("GET /v1/customers/*", "error_before", 0, 503)
	s.notYet(payload)
	endToo()
	s.notYet(payload)
	end()
	s.delivered(payload, "QUARANTINED")
}

// orphaned loses our records of a purchase after its charge, and delivers an event
// about it that finds nobody.
func (s *scene) orphaned() (r *pb.PayRequest, payload []byte) {
	s.t.Helper()
	r = s.request(s.purchase("jane@example.com"), "pm_card_visa")
	s.paid(r, pb.Payment_SUCCEEDED)
	payload = s.event("charge.succeeded")
	s.loseRecords("DELETE FROM payments.customers")
	s.delivered(payload, "ORPHANED")
	s.orders.set(func() { s.orders.told = nil })
	return r, payload
}

func (s *scene) awaitReplay(payload []byte, want string) {
	s.t.Helper()
	await(s.t, "the replay", func() bool {
		// It may have been woken by the first of several names, and then is tried again:
		// but not while a slow handling has it.
		if s.ledger(payload, "in_hand_until IS NULL") == "true" {
			s.clock.Advance(time.Second)
		}
		return s.ledger(payload, "status") == want
	})
	if got := s.ledger(payload, "attempt_count"); got != "1" {
		s.t.Errorf("%s attempts", got)
	}
}

// The event came first; then the payment appears, because Orders has it looked
// for, and the event is handled without any delivery.
func TestAnOrphanedEventReplaysWhenItsIntentIsSaved(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, payload := s.orphaned()
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	s.awaitReplay(payload, "PROCESSED")
	if told := s.lastTold(r.GetPurchase().GetOrderId()); told.GetStatus() != pb.Payment_SUCCEEDED {
		t.Errorf("Orders was told %v", told)
	}
}

// Stripe's event is faster than the answer in which we learn the page's id.
func TestAnOrphanedEventReplaysWhenItsSessionIsSaved(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	s.paysThere(session, "pm_card_visa")
	payload := s.event(completeEvent)
	s.loseRecords("DELETE FROM payments.customers")
	s.delivered(payload, "ORPHANED")
	s.paid(r, pb.Payment_SUCCEEDED) // asked again with the same key: the same page
	s.awaitReplay(payload, "PROCESSED")
}

func TestAnOrphanedEventReplaysWhenItsCustomerIsSaved(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	customer := s.paid(r, pb.Payment_SUCCEEDED).GetCustomerId()
	s.loseRecords("DELETE FROM payments.customers")
	payload := bySubscription("early", false, customer, ours())
	s.delivered(payload, "ORPHANED")
	other := bySubscription("other", false, "cus_other", ours())
	s.delivered(other, "ORPHANED")
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	await(t, "the replay", func() bool { return s.ledger(payload, "resolution_method") == "customer_id" })
	if got := s.ledger(other, "concat_ws(' ', status, retry_count)"); got != "ORPHANED 0" {
		t.Errorf("an event of somebody else's: %s", got)
	}
}

// Although nothing more than the customer could be made at Stripe.
func TestAnOrphanedEventReplaysWhenOnlyItsCustomerIsSaved(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	customer := s.paid(r, pb.Payment_SUCCEEDED).GetCustomerId()
	s.loseRecords("DELETE FROM payments.customers")
	payload := bySubscription("early", false, customer, ours())
	s.delivered(payload, "ORPHANED")
	defer s.fault(createIntent, "error_before", 0, 503)()
	s.paid(r, pb.Payment_UNKNOWN)
	await(t, "the replay", func() bool { return s.ledger(payload, "resolution_method") == "customer_id" })
}

func TestAnOrphanedEventReplaysWhenItsOrderIsSaved(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	payload := bySubscription("early", false, "cus_of_nobody", ours("order_id", p.GetOrderId()))
	s.delivered(payload, "ORPHANED")
	s.paid(s.request(p, "pm_card_visa"), pb.Payment_SUCCEEDED)
	await(t, "the replay", func() bool { return s.ledger(payload, "resolution_method") == "metadata" })
}

// Money of a customer of ours that carries no mark: a subscription's, whose
// first sign may be the charge itself.
func TestAnUnmarkedChargeOfOurCustomerWaitsForItsIntent(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	customer := s.paid(r, pb.Payment_SUCCEEDED).GetCustomerId()
	var intent struct{ ID string }
	s.call("/v1/payment_intents", url.Values{"amount": {"24900"}, "currency": {"usd"}, "customer": {customer}, "payment_method": {"pm_card_visa"}, "confirm": {"true"},
		"automatic_payment_methods[enabled]": {"true"}, "automatic_payment_methods[allow_redirects]": {"never"}}, &intent)
	payload := s.event("charge.succeeded")
	s.delivered(payload, "IGNORED")
	if waits := s.ledger(payload, "waits_for[1]"); waits != intent.ID {
		t.Errorf("it waits for %q", waits)
	}
}

// The page's intent is learned when the page is read: what came before under
// that name alone is handled then.
func TestAnUnmarkedChargeIsHandledWhenItsIntentIsLearned(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	s.paysThere(session, "pm_card_visa")
	a := s.account()
	charge, intent := a.Charges[0].ID, a.Intents[0]
	payload := body("evt_unmarked", "charge.succeeded", false, map[string]any{"id": charge, "object": "charge", "payment_intent": intent.ID, "customer": intent.Customer})
	s.delivered(payload, "IGNORED")
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	s.awaitReplay(payload, "PROCESSED")
}

// In a live ledger a test event is never anybody's, whatever it names.
func TestATestEventNeverReplaysAtALiveKey(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	p := s.purchase("jane@example.com")
	payload := bySubscription("test", false, "cus_of_nobody", ours("order_id", p.GetOrderId()))
	s.delivered(payload, "ORPHANED")
	s.exec(`UPDATE payments.webhook_events SET waits_for = ARRAY[$1]`, p.GetOrderId()) // as a key of the other mode would have left it
	live := bySubscription("live", true, "cus_of_nobody", ours("order_id", p.GetOrderId()))
	s.notYet(live)
	s.paid(s.request(p, "pm_card_visa"), pb.Payment_SUCCEEDED)
	wantError(t, "a test event linked to a live order", s.link("test", p.GetOrderId()), codes.Aborted, "INVALID_STATE")
	s.clock.Advance(time.Minute)
	await(t, "the live one", func() bool { return s.ledger(live, "resolution_method") == "metadata" })
	if got := s.ledger(payload, "concat_ws(' ', status, retry_count)"); got != "ORPHANED 0" {
		t.Errorf("the ledger: %s", got)
	}
}

// Both at the same moment, many times: no event is left waiting for a name that
// was saved meanwhile.
func TestAnOrphanAndItsOrderAtTheSameMoment(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	for n := range 25 {
		p := s.purchase("jane@example.com")
		payload := bySubscription(p.GetOrderId(), false, "", ours("order_id", p.GetOrderId()))
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = s.deliver(payload)
		}()
		r := s.request(p, "")
		if n%2 == 0 {
			<-done
		}
		s.paid(r, pb.Payment_REQUIRES_PAYMENT_METHOD)
		<-done
		s.clock.Advance(time.Minute)
		await(t, "the event", func() bool { return s.ledger(payload, "resolution_method") == "metadata" })
	}
}
