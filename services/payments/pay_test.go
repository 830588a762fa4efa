package payments_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/payments/v1"
)

func TestAPurchaseIsCharged(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("Jane@Example.com")
	p.AccountId = "acct-7"
	r := s.request(p, "pm_card_visa")
	got := s.paid(r, pb.Payment_SUCCEEDED)

	at := s.account()
	if len(at.Customers) != 1 || len(at.Intents) != 1 || len(at.Charges) != 1 {
		t.Fatalf("at Stripe: %+v", at)
	}
	want := &pb.Payment{
		OrderId: p.GetOrderId(), AttemptId: r.GetAttemptId(), Status: pb.Payment_SUCCEEDED, PaymentIntentId: at.Intents[0].ID,
		ChargeId: at.Charges[0].ID, CustomerId: at.Customers[0].ID, AmountMinor: price, Currency: "USD", ChargedAt: got.GetChargedAt(),
	}
	if !proto.Equal(got, want) {
		t.Errorf("answered %v, want %v", got, want)
	}
	if late := got.GetChargedAt().AsTime().Sub(s.clock.Now()); late < 0 || late >= time.Second {
		t.Errorf("charged at %v, %v from now", got.GetChargedAt().AsTime(), late)
	}

	asked := s.asked()
	var order []string
	for _, r := range asked {
		order = append(order, r.String())
	}
	if want := []string{"POST /v1/customers", "POST /v1/payment_intents", confirmCall}; !slices.Equal(order, want) {
		t.Fatalf("Stripe was asked %v, want %v", order, want)
	}
	if c := asked[1].form; c.Get("confirm") != "" || c.Get("payment_method") != "" || c.Get("customer") != at.Customers[0].ID ||
		c.Get("amount") != "24900" || c.Get("currency") != "usd" {
		t.Errorf("the intent was created with %v", c)
	}
	if asked[2].key != r.GetAttemptId() || asked[2].form.Get("payment_method") != "pm_card_visa" {
		t.Errorf("confirmed under the key %q with %v", asked[2].key, asked[2].form)
	}
	marks := map[string]string{"makegood_app": "makegood", "order_id": p.GetOrderId(), "reference": p.GetReference(), "plan_id": "annual", "account_id": "acct-7"}
	if got := at.Intents[0].Metadata; fmt.Sprint(got) != fmt.Sprint(marks) {
		t.Errorf("metadata of the intent: %v", got)
	}
	if got := at.Customers[0].Metadata; got["makegood_app"] != "makegood" || at.Customers[0].Email != "Jane@Example.com" {
		t.Errorf("the customer: %+v", at.Customers[0])
	}
	for _, r := range asked {
		if r.key == "" {
			t.Errorf("%s has no idempotency key", r)
		}
		for name, values := range r.form {
			if personal(strings.Join(values, " ")) && !(r.path == "/v1/customers" && (name == "email" || name == "name")) {
				t.Errorf("%s carries %s=%v", r, name, values)
			}
		}
		if personal(r.key) {
			t.Errorf("%s has the key %q", r, r.key)
		}
	}
	if kept := s.text(`SELECT payment_method FROM payments.attempts`); kept != "" {
		t.Errorf("the payment method %q is kept after the attempt rests", kept)
	}
	if row := s.text(`SELECT concat_ws(' ', order_id, payment_intent_id, charge_id, status) FROM payments.payments`); row !=
		strings.Join([]string{p.GetOrderId(), got.GetPaymentIntentId(), got.GetChargeId(), "SUCCEEDED"}, " ") {
		t.Errorf("recorded: %s", row)
	}
}

func personal(s string) bool {
	return strings.Contains(strings.ToLower(s), "jane") || strings.Contains(s, "@")
}

func TestTheSameAttemptAgainIsTheSameAnswer(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	first := s.paid(r, pb.Payment_SUCCEEDED)
	s.forget()
	if again := s.paid(r, pb.Payment_SUCCEEDED); !proto.Equal(first, again) {
		t.Errorf("first %v, then %v", first, again)
	}
	other := s.request(r.GetPurchase(), "pm_card_mastercard")
	again := s.paid(other, pb.Payment_SUCCEEDED)
	if again.GetChargeId() != first.GetChargeId() {
		t.Errorf("another attempt on a paid order: %v", again)
	}
	if a := again.GetAttemptId(); a != first.GetAttemptId() && a != "" {
		t.Errorf("it speaks of the attempt %q", a)
	}
	if asked := s.asked(); len(asked) != 0 {
		t.Errorf("Stripe was asked %v about a paid order", asked)
	}
	s.wantCharged(1)
}

func TestTwentyAtOnceAreOneCharge(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			got, err := s.pay.Pay(s.context(), r)
			if err != nil {
				t.Errorf("Pay: %v", err)
			} else if st := got.GetStatus(); st != pb.Payment_SUCCEEDED && st != pb.Payment_UNKNOWN {
				t.Errorf("Pay: %v", got)
			}
		})
	}
	all.Wait()
	s.paid(r, pb.Payment_SUCCEEDED)
	s.wantCharged(1)
	s.wantIntents("succeeded")
}

func TestDifferentAttemptsAtOnceAreOneCharge(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := s.pay.Pay(s.context(), s.request(p, "pm_card_visa")); err != nil {
				wantError(t, "Pay", err, codes.Aborted, "PAYMENT_IN_PROGRESS")
			}
		})
	}
	all.Wait()
	s.look(p, pb.Payment_SUCCEEDED)
	s.wantCharged(1)
	s.wantIntents("succeeded")
}

func TestADeclineAndAnotherCard(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	first := s.request(p, "pm_card_chargeDeclinedInsufficientFunds")
	no := s.paid(first, pb.Payment_REQUIRES_PAYMENT_METHOD)
	if d := no.GetDecline(); d.GetCode() != "insufficient_funds" || d.GetMessage() != "Your card has insufficient funds." || no.GetAttemptId() != first.GetAttemptId() {
		t.Errorf("the decline: %v", no)
	}
	if again := s.paid(first, pb.Payment_REQUIRES_PAYMENT_METHOD); !proto.Equal(again, no) {
		t.Errorf("asked again, the decline is %v", again)
	}
	if found := s.look(p, pb.Payment_REQUIRES_PAYMENT_METHOD); !proto.Equal(found, no) {
		t.Errorf("a look finds %v", found)
	}
	yes := s.paid(s.request(p, "pm_card_visa"), pb.Payment_SUCCEEDED)
	if yes.GetPaymentIntentId() != no.GetPaymentIntentId() || yes.GetDecline() != nil {
		t.Errorf("after another card: %v", yes)
	}
	late := s.paid(first, pb.Payment_SUCCEEDED) // the first attempt's request, repeated late
	if late.GetChargeId() != yes.GetChargeId() {
		t.Errorf("the first attempt asked again: %v", late)
	}
	s.wantCharged(1)
	s.wantIntents("succeeded")
}

func TestARefusalWithoutAChargeIsADecline(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	no := s.paid(s.request(p, "pm_no_such_card"), pb.Payment_REQUIRES_PAYMENT_METHOD)
	if no.GetDecline().GetCode() == "" || no.GetDecline().GetMessage() == "" {
		t.Errorf("the refusal: %v", no)
	}
	s.paid(s.request(p, "pm_card_visa"), pb.Payment_SUCCEEDED)
	s.wantCharged(1)
}

func TestAnotherAttemptWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	end := s.fault(confirmCall, "reset_before", 0, 0)
	first := s.request(p, "pm_card_visa")
	s.paid(first, pb.Payment_UNKNOWN)
	_, err := s.pay.Pay(s.context(), s.request(p, "pm_card_mastercard"))
	wantError(t, "another attempt while the first is open", err, codes.Aborted, "PAYMENT_IN_PROGRESS")
	end()
	s.paid(first, pb.Payment_SUCCEEDED)
	s.wantCharged(1)
}

func TestAuthenticationLeftOpenThenAnotherCard(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	first := s.request(p, "pm_card_authenticationRequired")
	act := s.paid(first, pb.Payment_REQUIRES_ACTION)
	if act.GetClientSecret() == "" {
		t.Errorf("the browser cannot authenticate: %v", act)
	}
	second := s.request(p, "pm_card_visa")

	// The second confirm does not reach Stripe at first: what Stripe says of the
	// first is not the second's word.
	end := s.fault(confirmCall, "reset_before", 0, 0)
	s.paid(second, pb.Payment_UNKNOWN)
	s.look(p, pb.Payment_UNKNOWN)
	end()
	yes := s.paid(second, pb.Payment_SUCCEEDED)
	if yes.GetPaymentIntentId() != act.GetPaymentIntentId() {
		t.Errorf("another intent was made: %v", yes)
	}
	s.wantCharged(1)
	s.wantIntents("succeeded")
	if s.paid(first, pb.Payment_SUCCEEDED).GetChargeId() != yes.GetChargeId() {
		t.Error("the first attempt asked again is another charge")
	}
}

func TestTheOldTabAuthenticatesAfterAll(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	act := s.paid(s.request(p, "pm_card_authenticationRequired"), pb.Payment_REQUIRES_ACTION)
	end := s.fault(confirmCall, "reset_before", 0, 0)
	second := s.request(p, "pm_card_visa")
	s.paid(second, pb.Payment_UNKNOWN)
	s.authenticate(act.GetPaymentIntentId(), "success")
	end()
	s.paid(second, pb.Payment_SUCCEEDED) // by the first card; the second is refused by Stripe
	s.wantCharged(1)
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	first := s.request(p, "pm_card_authenticationRequired")
	act := s.paid(first, pb.Payment_REQUIRES_ACTION)
	if again := s.paid(first, pb.Payment_REQUIRES_ACTION); !proto.Equal(again, act) {
		t.Errorf("asked again: %v", again)
	}
	s.authenticate(act.GetPaymentIntentId(), "fail")
	if no := s.look(p, pb.Payment_REQUIRES_PAYMENT_METHOD); no.GetDecline().GetCode() != "payment_intent_authentication_failure" {
		t.Errorf("after a failed authentication: %v", no)
	}
	second := s.request(p, "pm_card_authenticationRequired")
	s.paid(second, pb.Payment_REQUIRES_ACTION)
	s.authenticate(act.GetPaymentIntentId(), "success")
	s.paid(second, pb.Payment_SUCCEEDED)
	s.wantCharged(1)
}

// The stored answer to a confirm shows the intent as it was then.
func TestAReplayedConfirmIsNotBelieved(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_authenticationRequired")
	ends := []func(){s.fault(confirmPath, "reset_after", 0, 0), s.fault("GET /v1/payment_intents/*", "error_before", 0, 503)}
	s.paid(r, pb.Payment_UNKNOWN)
	for _, end := range ends {
		end()
	}
	s.authenticate(s.account().Intents[0].ID, "success")
	s.paid(r, pb.Payment_SUCCEEDED)
	s.wantCharged(1)
}

func TestTheBrowserConfirms(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	r := s.request(p, "")
	open := s.paid(r, pb.Payment_REQUIRES_PAYMENT_METHOD)
	if open.GetClientSecret() == "" || open.GetDecline() != nil || s.askedCount(confirmCall) != 0 {
		t.Errorf("before the browser confirms: %v", open)
	}
	s.call("/v1/payment_intents/"+open.GetPaymentIntentId()+"/confirm", map[string][]string{"payment_method": {"pm_card_visa"}}, nil)
	yes := s.look(p, pb.Payment_SUCCEEDED)
	if yes.GetChargeId() == "" || yes.GetAttemptId() != r.GetAttemptId() {
		t.Errorf("after it: %v", yes)
	}
}

func TestNobodyIsChargedAfterTheTime(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	for _, late := range []time.Duration{0, time.Second, time.Hour} {
		r.ChargeBy = timestamppb.New(s.clock.Now().Add(-late))
		s.paid(r, pb.Payment_UNKNOWN)
	}
	if n := s.askedCount(confirmCall) + s.askedCount("POST /v1/payment_intents"); n != 0 {
		t.Errorf("%d intents and confirms were sent", n)
	}
	s.cancel(r, pb.Payment_CANCELED)
	r.ChargeBy = timestamppb.New(s.clock.Now().Add(time.Hour))
	s.paid(r, pb.Payment_CANCELED)
	s.wantCharged(0)
}

// The time is asked again before the confirm, also of an intent that is there.
func TestAnotherCardIsNotChargedAfterTheTime(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	s.paid(s.request(p, "pm_card_chargeDeclined"), pb.Payment_REQUIRES_PAYMENT_METHOD)
	second := s.request(p, "pm_card_visa")
	second.ChargeBy = timestamppb.New(s.clock.Now().Add(-time.Second))
	s.paid(second, pb.Payment_UNKNOWN)
	if n := s.askedCount(confirmCall); n != 1 {
		t.Errorf("%d confirms were sent, want the declined one", n)
	}
	s.wantCharged(0)
}

func TestAnotherAmountIsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	s.paid(s.request(p, "pm_card_chargeDeclined"), pb.Payment_REQUIRES_PAYMENT_METHOD)
	for _, change := range []func(*pb.Purchase){
		func(p *pb.Purchase) { p.AmountMinor++ },
		func(p *pb.Purchase) { p.Currency = "JPY" },
	} {
		other := proto.CloneOf(p)
		change(other)
		_, err := s.pay.Pay(s.context(), s.request(other, "pm_card_visa"))
		wantError(t, "another amount", err, codes.FailedPrecondition, "PAYMENT_MISMATCH")
	}
	s.wantCharged(0)
}

func TestTwoPurchasesOfOneAddressAreOneCustomer(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	requests := []*pb.PayRequest{
		s.request(s.purchase("jane@example.com"), "pm_card_visa"), s.request(s.purchase("Jane@EXAMPLE.com"), "pm_card_visa"),
		s.request(s.purchase("jane@example.com"), "pm_card_visa"), s.request(s.purchase(" jane@example.com"), "pm_card_visa"),
	}
	var all sync.WaitGroup
	for _, r := range requests {
		all.Go(func() {
			if _, err := s.pay.Pay(s.context(), r); err != nil {
				t.Errorf("Pay: %v", err)
			}
		})
	}
	all.Wait()
	for _, r := range requests {
		s.paid(r, pb.Payment_SUCCEEDED)
	}
	s.wantCharged(len(requests))
	if n := len(s.account().Customers); n != 1 {
		t.Errorf("%d customers at Stripe", n)
	}
}

func TestOnlyOrdersMayPayAndOnlyTheEdgeDelivers(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	dial := s.instance()
	for _, caller := range []string{"gateway", "reconciliation", "provisioning", "notifications"} {
		_, err := s.client(dial, caller).Pay(t.Context(), r)
		wantError(t, "Pay by "+caller, err, codes.PermissionDenied, "PERMISSION_DENIED")
	}
	_, err := s.client(dial, "orders").ReceiveWebhook(t.Context(), &pb.ReceiveWebhookRequest{})
	wantError(t, "ReceiveWebhook by orders", err, codes.PermissionDenied, "PERMISSION_DENIED")
	if len(s.asked()) != 0 {
		t.Error("Stripe was asked")
	}
}
