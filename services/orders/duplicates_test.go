package orders_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

func TestTheSameAttemptAtTheSameMomentIsOnePayment(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(declines("generic_decline", "No."))
	o := s.mustPlace(purchase{}, failed)
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	attempt := uuid.NewString()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			got, err := s.pay(o, attempt, "pm_card_visa")
			if err != nil || got.GetState() == failed {
				t.Errorf("answered %v, %v", got.GetState(), err)
			}
		})
	}
	all.Wait()
	s.awaitState(o, complete)
	if n := s.count("SELECT count(*) FROM orders.submissions WHERE attempt_id = $1", attempt); n != 1 {
		t.Errorf("%d submissions", n)
	}
}

func TestWhatTheBuyerLeftOpenIsCanceledWhenTheyPayTheSame(t *testing.T) {
	s := newScene(t, looksOn)
	s.peers.payments.says(says(paymentsv1.Payment_REQUIRES_ACTION))
	left := s.mustPlace(purchase{}, pending)
	s.peers.payments.set(func(f *fakePayments) { f.onPay, f.onCancel = nil, nil })
	s.mustPlace(purchase{}, complete)
	s.awaitState(left, expired) // without the clock moving: paying made it due
	await(t, "the message about what was bought", func() bool { return len(s.peers.notifications.sent()) > 0 })
	if n := s.count("SELECT count(*) FROM orders.river_job WHERE args->>'message_kind' = 'PAYMENT_FAILED'"); n != 0 {
		t.Error("someone who has paid is told that nothing was charged")
	}
}

func TestTwoChargesThatGotThroughAreACase(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(says(paymentsv1.Payment_REQUIRES_ACTION))
	left := s.mustPlace(purchase{}, pending)
	s.peers.payments.set(func(f *fakePayments) { f.onPay = nil })
	other := s.mustPlace(purchase{}, complete)
	if _, err := s.news(left, s.arrived(left, "late")); err != nil {
		t.Fatal(err)
	}
	s.awaitState(left, complete)
	s.wantCases("DUPLICATE_CHARGE order/" + left.GetId())
	if !s.peers.cases.says("late_"+left.GetId(), s.describe(other).GetChargeId()) {
		t.Error("the case does not name both charges")
	}
}

func TestNoOtherCardWhileTheSameIsBeingBoughtElsewhere(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(declines("generic_decline", "No."))
	first := s.mustPlace(purchase{}, failed)
	s.peers.payments.says(fails(away))
	s.mustPlace(purchase{}, pending)
	_, err := s.pay(first, uuid.NewString(), "pm_card_visa")
	wantError(t, "paying the first while the second is undecided", err, codes.Aborted, "DUPLICATE_PURCHASE")
}

func TestARepeatThatIsMeantIsCharged(t *testing.T) {
	s := newScene(t, looksOn)
	s.mustPlace(purchase{}, complete)
	s.peers.payments.says(fails(away))
	second := s.mustPlace(purchase{repeat: true}, pending)
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	s.clock.Advance(30 * time.Second)
	s.awaitState(second, complete)
}

func TestLooksThatEndInErrorsBecomeACaseToo(t *testing.T) {
	s := newScene(t, looksOn, byHand)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.revoked = true })
	key := uuid.NewString()
	_, _ = s.place(purchase{key: key})
	o := s.get(&ordersv1.Order{Reference: key})
	for range 5 {
		s.look(o)
	}
	await(t, "a case", func() bool { return len(s.peers.cases.open()) > 0 })
	s.wantCases("STUCK_ORDER order/" + o.GetId())
}

func TestTheSweepReadsAndDoesNotCharge(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(fails(away))
	o := s.mustPlace(purchase{}, pending)
	s.peers.payments.set(func(f *fakePayments) { f.onPay, f.onLook = nil, nil })
	if _, err := s.advance(o, "reconciliation", ordersv1.AdvanceOrderRequest_RECONCILIATION); err != nil {
		t.Fatal(err)
	}
	if pays, looks, _ := s.peers.payments.asked(); pays != 1 || looks != 1 {
		t.Errorf("paid %d times, looked %d times", pays, looks)
	}
}

func TestTheWebhookLeavesAnOrderToTheRequestThatHasItInHand(t *testing.T) {
	s := newScene(t)
	answered := make(chan struct{})
	s.peers.payments.says(blocks(answered, s.peers.payments.succeeded("ch")))
	key := uuid.NewString()
	var all sync.WaitGroup
	all.Go(func() { s.mustPlace(purchase{key: key}, complete) })
	o := &ordersv1.Order{Reference: key}
	await(t, "the order is written and asks Payments", func() bool { pays, _, _ := s.peers.payments.asked(); return pays == 1 })
	o = s.get(o)
	all.Go(func() {
		if _, err := s.news(o, s.arrived(o, "ch")); err != nil {
			t.Error(err)
		}
	})
	// That the webhook does nothing cannot be awaited; without patience it would
	// have finished the order by now.
	time.Sleep(300 * time.Millisecond)
	if now := s.get(o); now.GetState() != pending {
		t.Errorf("the order is %s while the request has it in hand", now.GetState())
	}
	close(answered)
	all.Wait()
	if done := s.get(o); done.GetState() != complete || done.GetRecoveredBy() != "" {
		t.Errorf("%s, recovered by %q", done.GetState(), done.GetRecoveredBy())
	}
}
