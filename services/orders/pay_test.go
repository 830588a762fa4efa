package orders_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

func TestADeclineIsToldAndAnotherCardMayBeTried(t *testing.T) {
	s := newScene(t)
	s.peers.payments.set(func(f *fakePayments) {
		f.onPay = declines("insufficient_funds", "Your card has insufficient funds.")
	})
	o := s.mustPlace(purchase{}, failed)
	if e := o.GetPaymentError(); e.GetCode() != "insufficient_funds" || e.GetMessage() != "Your card has insufficient funds." {
		t.Errorf("the error reads %v", e)
	}
	if o.GetNextAction().GetType() != ordersv1.NextAction_PAY_AGAIN {
		t.Errorf("next: %v", o.GetNextAction())
	}
	if n := s.count("SELECT count(*) FROM orders.orders WHERE payment_method IS NULL AND next_look_at IS NULL"); n != 1 {
		t.Error("a failed order keeps its card or its look")
	}

	// The same key shows the order as it is; it does not charge again.
	s.mustPlace(purchase{key: o.GetReference()}, failed)
	if pays, _, _ := s.peers.payments.asked(); pays != 1 {
		t.Errorf("paid %d times", pays)
	}

	s.peers.payments.set(func(f *fakePayments) { f.onPay = nil })
	attempt := uuid.NewString()
	for range 2 { // the second time changes nothing
		paid, err := s.pay(o, attempt, "pm_card_mastercard")
		if err != nil || paid.GetState() != complete || paid.GetPaymentError() != nil || paid.GetRecoveredBy() != "" {
			t.Fatalf("%v %v", paid, err)
		}
	}
	pays, _, _ := s.peers.payments.asked()
	if last := s.peers.payments.pays[pays-1]; pays != 2 || last.GetAttemptId() != attempt || last.GetPaymentMethod() != "pm_card_mastercard" {
		t.Errorf("paid %d times, last %v", pays, last)
	}
	s.wantHistory(o, ">PENDING request buyer", "PENDING>FAILED request buyer", "FAILED>PENDING request buyer",
		"PENDING>CHARGED request buyer", "CHARGED>COMPLETE request buyer")
}

func TestAnAttemptBelongsToOneOrder(t *testing.T) {
	s := newScene(t)
	s.peers.payments.set(func(f *fakePayments) { f.onPay = declines("card_declined", "no") })
	one, two := s.mustPlace(purchase{}, failed), s.mustPlace(purchase{}, failed)
	attempt := uuid.NewString()
	if _, err := s.pay(one, attempt, "pm_card_visa"); err != nil {
		t.Fatal(err)
	}
	_, err := s.pay(two, attempt, "pm_card_visa")
	wantError(t, "another order's attempt", err, codes.Aborted, "IDEMPOTENCY_KEY_REUSED")
}

func TestNoOtherCardWhileOneIsUndecided(t *testing.T) {
	for name, status := range map[string]paymentsv1.Payment_Status{"unknown": paymentsv1.Payment_UNKNOWN, "processing": paymentsv1.Payment_PROCESSING} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.peers.payments.says(says(status))
			o := s.mustPlace(purchase{}, pending)
			if o.GetNextAction().GetType() != ordersv1.NextAction_WAIT || !o.GetNextAction().GetBy().AsTime().Equal(s.clock.Now().Add(30*time.Second)) {
				t.Errorf("next: %v", o.GetNextAction())
			}
			_, err := s.pay(o, uuid.NewString(), "pm_card_mastercard")
			wantError(t, "another card", err, codes.Aborted, "PAYMENT_IN_PROGRESS")
			if n := s.count("SELECT count(*) FROM orders.submissions"); n != 1 {
				t.Errorf("%d submissions", n)
			}
		})
	}
}

func TestWhatCannotBePaidAgain(t *testing.T) {
	s := newScene(t)
	done := s.mustPlace(purchase{}, complete)
	s.peers.payments.set(func(f *fakePayments) { f.onPay = says(paymentsv1.Payment_CANCELED) })
	gone := s.mustPlace(purchase{repeat: true}, expired)
	for _, o := range []*ordersv1.Order{done, gone} {
		_, err := s.pay(o, uuid.NewString(), "pm_card_visa")
		wantError(t, o.GetState().String(), err, codes.Aborted, "INVALID_STATE")
	}
}

func TestAnotherCardWhileAnOldTabStillWaits(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(says(paymentsv1.Payment_REQUIRES_ACTION))
	o := s.mustPlace(purchase{}, pending)
	if a := o.GetNextAction(); a.GetType() != ordersv1.NextAction_USE_STRIPE_SDK || a.GetClientSecret() != "the-secret-of-"+o.GetId() {
		t.Errorf("next: %v", a)
	}
	first := s.peers.payments.pays[0].GetAttemptId()

	second := uuid.NewString()
	paid, err := s.pay(o, second, "pm_card_threeDSecure2Required")
	if err != nil || paid.GetState() != pending {
		t.Fatalf("%v %v", paid, err)
	}
	// What comes late about the first card says nothing of the second.
	for name, old := range map[string]*paymentsv1.Payment{
		"declined":   {OrderId: o.GetId(), Status: paymentsv1.Payment_REQUIRES_PAYMENT_METHOD, AttemptId: first, Decline: &paymentsv1.Decline{Code: "card_declined"}},
		"canceled":   {OrderId: o.GetId(), Status: paymentsv1.Payment_CANCELED, AttemptId: first},
		"processing": {OrderId: o.GetId(), Status: paymentsv1.Payment_PROCESSING, AttemptId: first},
	} {
		now, err := s.news(o, old)
		if err != nil || now.GetState() != pending || now.GetNextAction().GetType() != ordersv1.NextAction_USE_STRIPE_SDK {
			t.Errorf("%s about the first card: %v %v", name, now, err)
		}
	}
	declined, err := s.news(o, &paymentsv1.Payment{OrderId: o.GetId(), Status: paymentsv1.Payment_REQUIRES_PAYMENT_METHOD, AttemptId: second,
		Decline: &paymentsv1.Decline{Code: "card_declined", Message: "no"}})
	if err != nil || declined.GetState() != failed {
		t.Errorf("about the second: %v %v", declined, err)
	}
}

func TestTheSameAttemptAgainGoesOnWithIt(t *testing.T) {
	s := newScene(t)
	s.peers.payments.set(func(f *fakePayments) { f.onPay = declines("card_declined", "no") })
	o := s.mustPlace(purchase{}, failed)
	s.peers.payments.set(func(f *fakePayments) { f.onPay = says(paymentsv1.Payment_UNKNOWN) })
	attempt := uuid.NewString()
	if paid, err := s.pay(o, attempt, "pm_card_visa"); err != nil || paid.GetState() != pending {
		t.Fatalf("%v %v", paid, err)
	}
	s.peers.payments.set(func(f *fakePayments) { f.onPay = nil })
	if paid, err := s.pay(o, attempt, "pm_card_visa"); err != nil || paid.GetState() != complete {
		t.Fatalf("%v %v", paid, err)
	}
	if a := s.peers.payments.attempts(); len(a) != 2 || s.count("SELECT count(*) FROM orders.submissions") != 2 {
		t.Errorf("attempts: %v", a)
	}
}

func TestTwoCardsAtTheSameMoment(t *testing.T) {
	s := newScene(t)
	s.peers.payments.set(func(f *fakePayments) { f.onPay = declines("card_declined", "no") })
	o := s.mustPlace(purchase{}, failed)
	release := make(chan struct{})
	s.peers.payments.set(func(f *fakePayments) { f.onPay = blocks(release, f.succeeded("ch")) })
	results := make(chan error, 2)
	for range 2 {
		go func() { _, err := s.pay(o, uuid.NewString(), "pm_card_visa"); results <- err }()
	}
	wantError(t, "the other card", <-results, codes.Aborted, "PAYMENT_IN_PROGRESS")
	close(release)
	if err := <-results; err != nil {
		t.Error(err)
	}
	if pays, _, _ := s.peers.payments.asked(); pays != 2 {
		t.Errorf("paid %d times", pays)
	}
}

func TestTheBrowserConfirms(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(says(paymentsv1.Payment_REQUIRES_PAYMENT_METHOD))
	o := s.mustPlace(purchase{client: true}, pending)
	if a := o.GetNextAction(); a.GetType() != ordersv1.NextAction_USE_STRIPE_SDK || a.GetClientSecret() == "" {
		t.Errorf("next: %v", a)
	}
	if card := s.peers.payments.pays[0].GetPaymentMethod(); card != "" {
		t.Errorf("asked to confirm %q", card)
	}
	confirm := func() (*ordersv1.Order, error) {
		return s.orders.ConfirmOrder(t.Context(), &ordersv1.ConfirmOrderRequest{Reference: o.GetReference()})
	}
	if now, err := confirm(); err != nil || now.GetState() != pending {
		t.Errorf("confirmed too early: %v %v", now, err)
	}
	s.peers.payments.set(func(f *fakePayments) { f.onLook = f.succeeded("ch") })
	now, err := confirm()
	if err != nil || now.GetState() != complete || now.GetNextAction().GetClientSecret() != "" || now.GetRecoveredBy() != "" {
		t.Errorf("%v %v", now, err)
	}
	if _, err := confirm(); err != nil {
		t.Error(err)
	}
	if pays, looks, _ := s.peers.payments.asked(); pays != 1 || looks != 2 {
		t.Errorf("paid %d times, looked %d times", pays, looks)
	}
}

// An order on a page of Stripe's is paid there: a card beside it would need an
// intent that does not exist yet.
func TestAHostedOrderTakesNoCardHere(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(says(paymentsv1.Payment_REQUIRES_ACTION))
	o := s.mustPlace(purchase{request: &ordersv1.PlaceOrderRequest{PlanId: "annual", Email: "jane@example.com", Checkout: ordersv1.PlaceOrderRequest_HOSTED}}, pending)
	_, err := s.pay(o, uuid.NewString(), "pm_card_visa")
	wantError(t, "a card for a hosted order", err, codes.Aborted, "INVALID_STATE")
}
