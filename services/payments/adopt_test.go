package payments_test

import (
	"testing"

	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// Orders was restored from before a purchase: Stripe's event brings the order
// back, with the buyer that Payments knows.
func TestALostOrderIsHandedOverForAdoption(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, success := s.unrecorded()
	s.orders.set(func() { s.orders.lost = true })
	s.delivered(success, "PROCESSED")
	s.wantAdopted(r)
}

func (s *scene) wantAdopted(r *pb.PayRequest) {
	s.t.Helper()
	s.orders.mu.Lock()
	defer s.orders.mu.Unlock()
	if len(s.orders.adopted) != 1 {
		s.t.Fatalf("%d adoptions", len(s.orders.adopted))
	}
	a, p := s.orders.adopted[0], r.GetPurchase()
	if a.GetReference() != p.GetReference() || a.GetPlanId() != p.GetPlanId() || a.GetEmail() != p.GetEmail() || a.GetName() != p.GetName() ||
		a.GetPayment().GetOrderId() != p.GetOrderId() || a.GetPayment().GetAmountMinor() != price || a.GetPayment().GetStatus() != pb.Payment_SUCCEEDED {
		s.t.Errorf("handed over as %v", a)
	}
}

// Both were restored, at a live key: everything is read from Stripe again.
func TestAChargeThatOnlyStripeKnowsIsAdopted(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	s.key = liveKey
	r, success := s.unrecorded()
	s.loseRecords("")
	s.orders.set(func() { s.orders.lost = true })
	s.delivered(success, "PROCESSED")
	s.wantAdopted(r)
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	s.wantCharged(1)
}

func TestAChargeThatDoesNotSayWhoseItIsIsACase(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	s.key = liveKey
	r, success := s.unrecorded()
	s.loseRecords("")
	account := s.account()
	s.call("/v1/payment_intents/"+account.Intents[0].ID, map[string][]string{"metadata[reference]": {""}}, nil)
	s.delivered(success, "QUARANTINED")
	if n := s.cases.count(reconciliationv1.Case_UNIDENTIFIED_CHARGE, "charge/"+account.Charges[0].ID); n != 1 {
		t.Errorf("%d cases", n)
	}
	if told := s.orders.calls(r.GetPurchase().GetOrderId()); len(told) != 0 {
		t.Errorf("Orders was told %v", told)
	}
}
