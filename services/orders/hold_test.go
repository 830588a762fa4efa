package orders_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// held is an order for which a dollar too little arrived, and the news of it.
func (s *scene) held() (*ordersv1.Order, *paymentsv1.Payment) {
	s.t.Helper()
	s.peers.payments.says(says(paymentsv1.Payment_UNKNOWN))
	o := s.mustPlace(purchase{}, pending)
	wrong := s.peers.payments.charge(o.GetId(), "ch", 24800, "USD", "")
	s.peers.payments.says(func(context.Context, *paymentsv1.Purchase, string) (*paymentsv1.Payment, error) { return wrong, nil })
	r, err := s.admin("payments").AdvanceOrder(s.t.Context(), &ordersv1.AdvanceOrderRequest{
		OrderId: o.GetId(), Reason: ordersv1.AdvanceOrderRequest_WEBHOOK, Payment: wrong,
	})
	if err != nil || !r.GetHeld() || r.GetOrder().GetState() != pending {
		s.t.Fatalf("%v %v", r, err)
	}
	return r.GetOrder(), wrong
}

// Other money than was asked for is one case, however long a person takes.
func TestMoneyForAPersonIsOneCase(t *testing.T) {
	s := newScene(t, looksOn)
	o, wrong := s.held()
	if o.GetNextAction().GetType() != ordersv1.NextAction_WAIT || o.GetNextAction().GetBy() != nil || o.GetPaymentError().GetCode() != "wrong_amount" {
		t.Errorf("its buyer is told %v", o)
	}
	looks := func() int32 { return s.describe(o).GetLookCount() }
	for range 8 {
		before := looks()
		s.clock.Advance(2 * time.Hour)
		await(t, "its look", func() bool { return looks() > before })
	}
	if _, err := s.news(o, wrong); err != nil {
		t.Error(err)
	}
	s.wantCases("WRONG_CHARGE order/" + o.GetId())
	if n := len(s.peers.cases.cases); n != 1 {
		t.Errorf("it was opened %d times: a person may have resolved it", n)
	}
	stuck := s.stuck(s.clock.Now(), 10, "").GetOrders()
	if len(stuck) > 1 || len(stuck) == 1 && !stuck[0].GetWaits() {
		t.Errorf("it is listed as stuck: %v", stuck)
	}
}

// A case that cannot be opened yet is news that is not taken yet.
func TestMoneyForAPersonIsTakenOnceItHasItsCase(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(says(paymentsv1.Payment_UNKNOWN))
	o := s.mustPlace(purchase{}, pending)
	s.peers.cases.mu.Lock()
	s.peers.cases.err = away
	s.peers.cases.mu.Unlock()
	if _, err := s.news(o, s.peers.payments.charge(o.GetId(), "ch", 24800, "USD", "")); err == nil {
		t.Error("it was taken without a case")
	}
}

// Its buyer may order again after a while: that money is good for nothing.
func TestAnotherOrderBesideMoneyForAPerson(t *testing.T) {
	s := newScene(t)
	s.held()
	s.peers.payments.set(func(f *fakePayments) { f.onPay, f.onLook, f.onCancel = nil, nil, nil })
	_, err := s.place(purchase{})
	wantError(t, "at once", err, codes.Aborted, "DUPLICATE_PURCHASE")
	s.clock.Advance(11 * time.Minute)
	s.mustPlace(purchase{}, complete)
}

// When all of it went back, the order is over, and its buyer is told.
func TestMoneyForAPersonThatWentBack(t *testing.T) {
	s := newScene(t)
	o, wrong := s.held()
	wrong.RefundedMinor, wrong.ChargedAt = 5000, timestamppb.New(s.clock.Now())
	if got, err := s.news(o, wrong); err != nil || got.GetState() != pending {
		t.Errorf("a part: %v %v", got.GetState(), err)
	}
	wrong.RefundedMinor = 24800
	got, err := s.news(o, wrong)
	if err != nil || got.GetState() != refunded || got.GetAmountDisplay() != "$248.00" || got.GetPaymentError() != nil {
		t.Fatalf("%v %v", got, err)
	}
	s.wantTaken(1, 0)
	if d := s.describe(o); d.GetRefundedMinor() != 24800 || d.GetNextLookAt() != nil {
		t.Errorf("described as %v", d)
	}
	await(t, "the mail about it", func() bool {
		return slices.Contains(s.peers.notifications.sent(), "REFUND order/"+o.GetId()+"/refund/24800")
	})
}
