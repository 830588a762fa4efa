package payments_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	pb "makegood.example/proto/gen/payments/v1"
)

// settles is the bank's answer, days later.
func (s *scene) settles(intentID, outcome string) {
	s.t.Helper()
	s.control(http.MethodPost, "payment_intents/"+intentID+"/settle", map[string]string{"outcome": outcome}, nil)
}

// processing is a payment that waits for the bank, confirmed here or in the
// browser.
func (s *scene) processing(where, method string) (*pb.PayRequest, *pb.Payment) {
	s.t.Helper()
	if where == "here" {
		r := s.request(s.purchase("jane@example.com"), method)
		return r, s.paid(r, pb.Payment_PROCESSING)
	}
	r := s.request(s.purchase("jane@example.com"), "")
	open := s.paid(r, pb.Payment_REQUIRES_PAYMENT_METHOD)
	s.call("/v1/payment_intents/"+open.GetPaymentIntentId()+"/confirm", url.Values{"payment_method": {method}}, nil)
	s.delivered(s.event("payment_intent.processing"), "PROCESSED")
	return r, s.look(r.GetPurchase(), pb.Payment_PROCESSING)
}

func TestABankThatTakesDaysAndSaysYes(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"here", "in the browser"} {
		for _, heard := range []string{"payment_intent.succeeded", "charge.succeeded", "a look"} {
			t.Run(where+" "+heard, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, nil)
				r, p := s.processing(where, "pm_usBankAccount_success")
				if p.GetChargeId() != "" || p.GetAmountMinor() != 0 || p.GetChargedAt() != nil {
					t.Errorf("while the bank thinks: %v", p)
				}
				s.cancel(r, pb.Payment_PROCESSING) // nobody can take it back now
				s.clock.Advance(49 * time.Hour)
				s.look(r.GetPurchase(), pb.Payment_PROCESSING)
				for _, told := range s.orders.calls("") {
					if st := told.GetPayment().GetStatus(); st != pb.Payment_PROCESSING {
						t.Errorf("Orders was told %s before the bank decided", st)
					}
				}
				s.settles(p.GetPaymentIntentId(), "success")
				decided := s.clock.Now()
				if heard != "a look" {
					// Heard of late, and told as of when Stripe said so.
					s.clock.Advance(2 * time.Hour)
					s.delivered(s.event(heard), "PROCESSED")
					s.delivered(s.event("payment_intent.processing"), "PROCESSED") // late
					if told := s.lastTold(r.GetPurchase().GetOrderId()); told.GetStatus() != pb.Payment_SUCCEEDED {
						t.Errorf("Orders was told %v", told)
					}
				}
				got := s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
				if off := got.GetChargedAt().AsTime().Sub(decided).Abs(); off >= 2*time.Second {
					t.Errorf("paid at %v, %v from when the bank decided", got.GetChargedAt().AsTime(), off)
				}
				s.wantCharged(1)
			})
		}
	}
}

func TestABankThatTakesDaysAndSaysNo(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"here", "in the browser"} {
		for _, heard := range []string{"payment_intent.payment_failed", "a look"} {
			t.Run(where+" "+heard, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, nil)
				r, p := s.processing(where, "pm_usBankAccount_insufficientFunds")
				orderID := r.GetPurchase().GetOrderId()
				s.clock.Advance(49 * time.Hour)
				s.settles(p.GetPaymentIntentId(), "failure")
				if heard != "a look" {
					s.delivered(s.event(heard), "PROCESSED")
					if told := s.lastTold(orderID); told.GetDecline().GetCode() == "" || told.GetAttemptId() != r.GetAttemptId() {
						t.Errorf("Orders was told %v", told)
					}
				}
				got := s.look(r.GetPurchase(), pb.Payment_REQUIRES_PAYMENT_METHOD)
				if got.GetDecline().GetCode() == "" || got.GetDecline().GetMessage() == "" {
					t.Errorf("the bank's no: %v", got)
				}
				s.delivered(s.event("payment_intent.processing"), "PROCESSED") // late
				s.look(r.GetPurchase(), pb.Payment_REQUIRES_PAYMENT_METHOD)
				s.wantCharged(0)

				// Another card, and the bank's no comes once more.
				second := s.request(r.GetPurchase(), "pm_card_visa")
				s.paid(second, pb.Payment_SUCCEEDED)
				s.delivered(s.event("payment_intent.payment_failed"), "PROCESSED")
				s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
				s.wantCharged(1)
			})
		}
	}
}

// The word that the bank has it was lost or overtaken: its no is told all the same,
// and is not taken for the next attempt's.
func TestABanksNoIsHeardFirst(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "")
	open := s.paid(r, pb.Payment_REQUIRES_PAYMENT_METHOD)
	confirm := "/v1/payment_intents/" + open.GetPaymentIntentId() + "/confirm"
	s.callRefused(confirm, url.Values{"payment_method": {"pm_card_chargeDeclined"}})
	if got := s.look(r.GetPurchase(), pb.Payment_REQUIRES_PAYMENT_METHOD); got.GetDecline().GetCode() != "" {
		t.Errorf("a card that the browser may replace is told as %v", got)
	}
	s.call(confirm, url.Values{"payment_method": {"pm_usBankAccount_insufficientFunds"}}, nil)
	overtaken := s.event("payment_intent.processing")
	s.clock.Advance(49 * time.Hour)
	s.settles(open.GetPaymentIntentId(), "failure")
	s.delivered(s.event("payment_intent.payment_failed"), "PROCESSED")
	told := s.lastTold(r.GetPurchase().GetOrderId())
	if told.GetDecline().GetCode() == "" || told.GetAttemptId() != r.GetAttemptId() {
		t.Errorf("Orders was told %v", told)
	}
	s.delivered(overtaken, "PROCESSED")
	if got := s.look(r.GetPurchase(), pb.Payment_REQUIRES_PAYMENT_METHOD); got.GetDecline().GetCode() == "" {
		t.Errorf("after the word that was overtaken: %v", got)
	}
	again := s.request(r.GetPurchase(), "")
	if got := s.paid(again, pb.Payment_REQUIRES_PAYMENT_METHOD); got.GetDecline().GetCode() != "" {
		t.Errorf("the next attempt is refused by the old no: %v", got)
	}
	s.wantCharged(0)
}

func TestAuthenticationInTheBrowser(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	begin := func() (*pb.PayRequest, string) {
		r := s.request(s.purchase("jane@example.com"), "")
		open := s.paid(r, pb.Payment_REQUIRES_PAYMENT_METHOD)
		s.call("/v1/payment_intents/"+open.GetPaymentIntentId()+"/confirm", url.Values{"payment_method": {"pm_card_threeDSecure2Required"}}, nil)
		s.delivered(s.event("payment_intent.requires_action"), "PROCESSED")
		if told := s.lastTold(r.GetPurchase().GetOrderId()); told.GetStatus() != pb.Payment_REQUIRES_ACTION || told.GetClientSecret() == "" {
			t.Errorf("Orders was told %v", told)
		}
		return r, open.GetPaymentIntentId()
	}
	r, intent := begin()
	s.clock.Advance(time.Minute)
	s.authenticate(intent, "success")
	s.delivered(s.event("payment_intent.succeeded"), "PROCESSED")
	got := s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	if off := got.GetChargedAt().AsTime().Sub(s.clock.Now()).Abs(); off >= 2*time.Second {
		t.Errorf("paid at %v, %v from now", got.GetChargedAt().AsTime(), off)
	}

	// Failed: the browser may try again, and nothing is decided.
	r, intent = begin()
	s.authenticate(intent, "fail")
	s.delivered(s.event("payment_intent.payment_failed"), "PROCESSED")
	if got := s.look(r.GetPurchase(), pb.Payment_REQUIRES_PAYMENT_METHOD); got.GetClientSecret() == "" {
		t.Errorf("after a failed authentication: %v", got)
	}

	// Abandoned: given up at Stripe, and the old tab can do no more.
	r, _ = begin()
	s.clock.Advance(24 * time.Hour)
	s.cancel(r, pb.Payment_CANCELED)
	s.wantIntents("succeeded", "requires_payment_method", "canceled")
	s.delivered(s.event("payment_intent.canceled"), "PROCESSED")
	s.delivered(s.event("payment_intent.requires_action"), "PROCESSED") // late
	s.look(r.GetPurchase(), pb.Payment_CANCELED)
	s.wantCharged(1)
}
