package payments_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	pb "makegood.example/proto/gen/payments/v1"
)

// Webhook endpoints may speak any version of Stripe's API. A payment of ours is
// taken over from each: by what the body says, or by reading Stripe again.
func TestOurPaymentInAnyVersion(t *testing.T) { // alone on the machine, for its time is taken
	for _, version := range []string{"2020-03-02", "2020-08-27", "2022-08-01", "2022-11-15", "2023-10-16", "2024-06-20", "2025-03-31.basil", "2025-10-29.clover"} {
		t.Run(version, func(t *testing.T) {
			s := newScene(t, nil)
			s.control(http.MethodPost, "webhooks", map[string]any{
				"paused": true, "api_version": version, "endpoints": []map[string]string{{"url": "http://127.0.0.1:1/", "secret": webhookSecret}},
			}, nil)
			for _, heard := range []string{"payment_intent.succeeded", "charge.succeeded", "charge.refunded"} {
				r := s.request(s.purchase("jane@example.com"), "")
				orderID := r.GetPurchase().GetOrderId()
				open := s.paid(r, pb.Payment_REQUIRES_PAYMENT_METHOD)
				s.call("/v1/payment_intents/"+open.GetPaymentIntentId()+"/confirm", map[string][]string{"payment_method": {"pm_card_visa"}}, nil)
				a := s.account()
				s.atStripe(a.Charges[len(a.Charges)-1].ID, 5000)
				payload := s.sent(heard)
				if version < "2022-11-15" && heard == "payment_intent.succeeded" {
					payload = changed(compact(payload), `"latest_charge":`, `"no_such_field_then":`)
				}
				began := time.Now()
				s.delivered(payload, "PROCESSED")
				if took := time.Since(began); took > 5*time.Second { // far below what any timeout would make of it
					t.Errorf("%s: answered after %v", heard, took)
				}
				if got := s.ledger(payload, "api_version"); got != version {
					t.Errorf("%s: the ledger says version %s", heard, got)
				}
				told := s.lastTold(orderID)
				if told.GetStatus() != pb.Payment_SUCCEEDED || told.GetChargeId() == "" || told.GetAmountMinor() != price {
					t.Errorf("%s: Orders was told %v", heard, told)
				}
				if heard == "charge.refunded" && told.GetRefundedMinor() != 5000 {
					t.Errorf("%s: Orders was told %v", heard, told)
				}
				s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
			}
		})
	}
}

// sent is the last delivery of a type, as it is waiting to be sent.
func (s *scene) sent(eventType string) []byte {
	s.t.Helper()
	var hooks struct {
		Deliveries []struct {
			EventType string `json:"event_type"`
			Body      string
		}
	}
	s.control(http.MethodGet, "webhooks", nil, &hooks)
	var found []byte
	for _, d := range hooks.Deliveries {
		if d.EventType == eventType && d.Body != "" {
			found = []byte(d.Body)
		}
	}
	if found == nil {
		found = s.event(eventType) // in Stripe's own version
	}
	if !json.Valid(found) {
		s.t.Fatalf("%s is sent as %s", eventType, found)
	}
	return found
}

// What the body leaves out of a payment of ours is read from Stripe.
func TestABodyThatLeavesOutWhatIsNeeded(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	r, _ := s.unrecorded()
	orderID := r.GetPurchase().GetOrderId()
	a := s.account()
	charge, intent := a.Charges[0].ID, a.Intents[0].ID

	s.delivered(body("evt_charge", "charge.succeeded", true, map[string]any{"id": charge, "object": "charge", "metadata": ours("order_id", orderID)}), "PROCESSED")
	if told := s.lastTold(orderID); told.GetStatus() != pb.Payment_SUCCEEDED || told.GetChargeId() != charge {
		t.Errorf("Orders was told %v", told)
	}
	s.atStripe(charge, 5000)
	refund := map[string]any{"id": "re_1", "object": "refund", "charge": nil, "payment_intent": intent}
	s.delivered(body("evt_refund", "refund.created", true, refund), "PROCESSED")
	if told := s.lastTold(orderID); told.GetRefundedMinor() != 5000 {
		t.Errorf("Orders was told %v", told)
	}
	s.loseRecords("") // whose the refund is, only its intent tells then
	s.delivered(body("evt_again", "refund.updated", true, refund), "PROCESSED")

	s.delivered(body("evt_theirs", "charge.succeeded", true, map[string]any{"id": "ch_theirs", "object": "charge"}), "IGNORED")
	s.delivered(body("evt_none", "charge.succeeded", true, map[string]any{"id": "ch_none", "object": "charge", "metadata": ours()}), "QUARANTINED")
}

// What is saved here and Stripe does not have is for a person, and not asked for
// for ever; while Stripe does not answer, it is not known to be gone.
func TestASavedObjectThatStripeDoesNotHave(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.buyer("jane@example.com", "")
	s.hosted()
	s.exec(`UPDATE payments.payments SET charge_id = 'ch_gone' WHERE charge_id IS NOT NULL`)
	s.exec(`UPDATE payments.payments SET checkout_session_id = 'cs_gone' WHERE checkout_session_id IS NOT NULL`)
	page := body("evt_page", "checkout.session.completed", false, map[string]any{"id": "cs_gone", "object": "checkout.session", "metadata": ours()})
	charge := body("evt_charge", "charge.refunded", false, map[string]any{"id": "ch_gone", "object": "charge", "metadata": ours()})
	for path, payload := range map[string][]byte{"GET /v1/checkout/sessions/*": page, "GET /v1/charges/*": charge} {
		end := s.fault(path, "error_before", 0, 503)
		s.notYet(payload)
		end()
		s.delivered(payload, "QUARANTINED")
	}
}
