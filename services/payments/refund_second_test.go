package payments_test

import (
	"fmt"
	"net/url"
	"testing"

	"google.golang.org/grpc/codes"

	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
)

// paidTwice takes a second charge for a purchase at Stripe, by an intent that only
// carries its mark, and answers with it.
func (s *scene) paidTwice(r *pb.PayRequest, first *pb.Payment) (chargeID, intentID string) {
	s.t.Helper()
	p := r.GetPurchase()
	var pi struct {
		ID     string
		Charge string `json:"latest_charge"`
	}
	s.call("/v1/payment_intents", url.Values{
		"amount": {fmt.Sprint(price)}, "currency": {"usd"}, "confirm": {"true"}, "customer": {first.GetCustomerId()},
		"payment_method": {"pm_card_visa"}, "payment_method_types[]": {"card"},
		"metadata[makegood_app]": {"makegood"}, "metadata[order_id]": {p.GetOrderId()}, "metadata[reference]": {p.GetReference()}, "metadata[plan_id]": {"annual"},
	}, &pi)
	return pi.Charge, pi.ID
}

// wantRefundedAt says how much of each charge went back at Stripe.
func (s *scene) wantRefundedAt(want map[string]int64) {
	s.t.Helper()
	for _, c := range s.account().Charges {
		if c.Refunded != want[c.ID] {
			s.t.Errorf("of %s %d went back, want %d", c.ID, c.Refunded, want[c.ID])
		}
	}
}

// One call gives the second charge of an order back, and nothing of the first.
func TestASecondChargeOfAnOrderIsRefundedAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	first := s.paid(r, pb.Payment_SUCCEEDED)
	second, intent := s.paidTwice(r, first)
	told := len(s.orders.calls(first.GetOrderId()))

	w := wish(first, 0)
	w.ChargeId = second
	got := s.refunded(w, pb.Refund_SUCCEEDED)
	if got.GetAmountMinor() != price || got.GetCurrency() != "USD" {
		t.Errorf("refunded %v", got)
	}
	if again := s.refunded(w, pb.Refund_SUCCEEDED); again.GetStripeRefundId() != got.GetStripeRefundId() {
		t.Errorf("asked again it is %v", again)
	}
	s.wantRefundedAt(map[string]int64{second: price})
	if back := s.text(`SELECT refunded_minor || ' ' || status FROM payments.payments`); back != "0 SUCCEEDED" {
		t.Errorf("the payment of the order is %s", back)
	}
	if n := len(s.orders.calls(first.GetOrderId())); n != told {
		t.Errorf("Orders heard %d times of what is nothing to the order", n-told)
	}
	if list, err := s.desk.ListRefunds(s.as(access.Support), &pb.ListRefundsRequest{OrderId: first.GetOrderId()}); err != nil || len(list.GetRefunds()) != 1 || list.GetRefunds()[0].GetChargeId() != second {
		t.Errorf("listed %v, %v", list, err)
	}
	another := wish(first, 0)
	another.ChargeId = second
	_, err := s.desk.RefundPayment(s.as(access.Support), another)
	wantError(t, "once more under another id", err, codes.Aborted, "REFUND_TOO_LARGE")
	// The first is refunded as ever, by its own name too.
	w = wish(first, 100)
	w.ChargeId = first.GetChargeId()
	s.refunded(w, pb.Refund_SUCCEEDED)
	s.wantRefundedAt(map[string]int64{first.GetChargeId(): 100, second: price})
	if intent == first.GetPaymentIntentId() {
		t.Error("there was no second intent")
	}
}

// Its lost answer is looked at again, under the same key.
func TestALostAnswerAboutASecondChargeIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	first := s.paid(r, pb.Payment_SUCCEEDED)
	second, _ := s.paidTwice(r, first)
	end := s.fault(refundCall, "reset_after", 10, 0)
	endRead := s.fault("GET /v1/charges/"+second, "reset_before", 10, 0)
	w := wish(first, 0)
	w.ChargeId = second
	// Whose it is cannot be read: nothing is written, and nothing happens.
	_, err := s.desk.RefundPayment(s.as(access.Support), w)
	wantError(t, "Stripe is away", err, codes.Unavailable, "STRIPE_UNREACHABLE")
	endRead()
	s.refunded(w, pb.Refund_SUCCEEDED) // the charge shows it, although the answer was lost
	end()
	s.wantRefundedAt(map[string]int64{second: price})
}

func TestOnlyAChargeOfTheOrderIsRefundedByItsName(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	mine := s.bought("pm_card_visa")
	theirs := s.paid(s.request(s.purchase("joe@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	var foreign struct {
		Charge string `json:"latest_charge"`
	}
	s.call("/v1/payment_intents", url.Values{
		"amount": {fmt.Sprint(price)}, "currency": {"usd"}, "confirm": {"true"}, "customer": {mine.GetCustomerId()},
		"payment_method": {"pm_card_visa"}, "payment_method_types[]": {"card"}, "metadata[order_id]": {mine.GetOrderId()},
	}, &foreign)
	for name, charge := range map[string]string{"somebody else's": theirs.GetChargeId(), "a foreign one": foreign.Charge, "none": "ch_none"} {
		w := wish(mine, 0)
		w.ChargeId = charge
		_, err := s.desk.RefundPayment(s.as(access.Support), w)
		wantError(t, name, err, codes.Aborted, "CHARGE_OF_ANOTHER")
	}
	s.wantRefundedAt(nil)
}

// The event about the refund of a second charge is no news that needs a person.
func TestTheEventOfARefundedSecondChargeOpensNoCase(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	s.key = liveKey
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	first := s.paid(r, pb.Payment_SUCCEEDED)
	second, _ := s.paidTwice(r, first)
	s.delivered(s.event("payment_intent.succeeded"), "QUARANTINED")
	opened := s.caseCount(reconciliationv1.Case_DUPLICATE_CHARGE, first.GetOrderId())
	if opened == 0 {
		t.Fatal("two charges for one order are no case")
	}
	w := wish(first, 0)
	w.ChargeId = second
	s.refunded(w, pb.Refund_SUCCEEDED)
	s.delivered(s.event("charge.refunded"), "QUARANTINED")
	if n := s.caseCount(reconciliationv1.Case_DUPLICATE_CHARGE, first.GetOrderId()); n != opened {
		t.Errorf("%d more cases about money that went back", n-opened)
	}
}
