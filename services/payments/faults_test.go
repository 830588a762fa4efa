package payments_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/apperr"
)

// Every way in which Stripe can fail, at each of the three calls that write,
// once and for longer: never a second charge, never "not charged" about a
// charge, and in the end the truth.
func TestEveryFaultAtEveryWrite(t *testing.T) {
	t.Parallel()
	faults := []struct {
		mode   string
		status int
	}{
		{"error_before", 409}, {"error_before", 429}, {"error_before", 500}, {"error_before", 503},
		{"hang_before", 0}, {"reset_before", 0}, {"hang_during", 0}, {"hang_after", 0}, {"reset_after", 0}, {"error_after", 0},
	}
	const forEver = 0
	many := map[string][]int{confirmPath: {10}} // where money moves
	for _, call := range []string{createCustomer, createIntent, confirmPath} {
		for _, f := range faults {
			for _, times := range append(many[call], 1, 3, forEver) {
				name := fmt.Sprintf("%s %s%d times %d", call[len("POST /v1/"):], f.mode, f.status, times)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					s := newScene(t, patience(f.mode))
					end := s.fault(call, f.mode, times, f.status)
					r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
					for range max(2, times/2) { // each is two requests
						s.driven(r)
					}
					end()
					await(t, "the charge", func() bool { return s.driven(r) == pb.Payment_SUCCEEDED })
					s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
					s.wantCharged(1)
					s.wantIntents("succeeded")
					if n := len(s.account().Customers); n != 1 {
						t.Errorf("%d customers at Stripe", n)
					}
				})
			}
		}
	}
}

// patience makes the wait for a Stripe that hangs short. On a slow machine that
// may cut off a healthy answer too, so what is asked then is asked until it is
// answered.
func patience(mode string) map[string]string {
	if strings.HasPrefix(mode, "hang_") {
		return map[string]string{"STRIPE_TIMEOUT": "300ms"}
	}
	return nil
}

// driven asks for the payment once more and holds the answer against Stripe.
func (s *scene) driven(r *pb.PayRequest) pb.Payment_Status {
	s.t.Helper()
	got, err := s.pay.Pay(s.context(), r)
	if err != nil {
		s.t.Fatalf("Pay: %v", err)
	}
	charged := s.account().charged()
	switch st := got.GetStatus(); {
	case charged > 1:
		s.t.Fatalf("charged %d times", charged)
	case st == pb.Payment_SUCCEEDED && charged != 1:
		s.t.Fatalf("%d charges, and the answer is %v", charged, got)
	case st != pb.Payment_SUCCEEDED && st != pb.Payment_UNKNOWN:
		s.t.Fatalf("no card was refused (%d charges), and the answer is %v", charged, got)
	}
	return got.GetStatus()
}

// A refused card whose answer is lost: the refusal is found, and never taken
// for the next card's.
func TestAFaultAroundADecline(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"error_before", "hang_before", "reset_before", "hang_after", "reset_after", "error_after"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, patience(mode))
			end := s.fault(confirmPath, mode, 2, 0)
			p := s.purchase("jane@example.com")
			first := s.request(p, "pm_card_chargeDeclined")
			await(t, "the refusal", func() bool {
				got, err := s.pay.Pay(s.context(), first)
				if err != nil {
					t.Fatal(err)
				}
				return got.GetDecline().GetCode() == "generic_decline"
			})
			end()
			end = s.fault(confirmPath, "reset_before", 0, 0)
			second := s.request(p, "pm_card_visa")
			s.paid(second, pb.Payment_UNKNOWN) // Stripe still shows the first card's refusal
			s.look(p, pb.Payment_UNKNOWN)
			end()
			await(t, "the charge", func() bool { return s.driven(second) == pb.Payment_SUCCEEDED })
			s.wantCharged(1)
		})
	}
}

// Whoever goes on with a purchase asks Stripe under the keys of whoever began it.
func TestKeysOutliveARestart(t *testing.T) {
	t.Parallel()
	for _, call := range []string{createCustomer, createIntent, confirmPath} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
			keys := map[string]bool{}
			ask := func(want pb.Payment_Status) {
				s.paid(r, want)
				asked := 0
				for _, a := range s.asked() {
					if a.String() == call {
						keys[a.key], asked = true, asked+1
					}
				}
				if asked == 0 {
					t.Errorf("Stripe was not asked to %s", call)
				}
				s.forget()
			}
			end := s.fault(call, "reset_before", 0, 0)
			for range 2 {
				ask(pb.Payment_UNKNOWN)
				s.stop()
				s.pay = s.client(s.instance(), "orders")
			}
			end()
			ask(pb.Payment_SUCCEEDED)
			if len(keys) != 1 || keys[""] {
				t.Errorf("three instances asked under the keys %v", keys)
			}
			s.wantCharged(1)
		})
	}
}

// Our records of the purchase are gone, as after a restored backup.
func (s *scene) loseRecords(more string) {
	s.t.Helper()
	s.exec(`DELETE FROM payments.refunds`)
	s.exec(`DELETE FROM payments.attempts`)
	s.exec(`DELETE FROM payments.payments`)
	if more != "" {
		s.exec(more)
	}
}

func TestALostPaymentIsFoundAtStripe(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	paid := s.paid(r, pb.Payment_SUCCEEDED)
	for _, more := range []string{"", `DELETE FROM payments.customers`} {
		s.loseRecords(more)
		found := s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
		if found.GetChargeId() != paid.GetChargeId() || found.GetAmountMinor() != price {
			t.Errorf("found %v", found)
		}
		s.loseRecords(more)
		s.cancel(r, pb.Payment_SUCCEEDED)
		s.loseRecords(more)
		if again := s.paid(r, pb.Payment_SUCCEEDED); again.GetChargeId() != paid.GetChargeId() {
			t.Errorf("the same attempt after the loss: %v", again)
		}
	}
	s.loseRecords("")
	other := s.request(r.GetPurchase(), "pm_card_mastercard")
	if again := s.paid(other, pb.Payment_SUCCEEDED); again.GetChargeId() != paid.GetChargeId() {
		t.Errorf("another attempt after the loss: %v", again)
	}
	s.wantCharged(1)
	s.wantIntents("succeeded")
}

// The address bought before, so that its Customer was made under the key of an
// order that the restored database does not know any more.
func TestALostSecondPurchaseIsStillOneCharge(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.paid(s.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	paid := s.paid(r, pb.Payment_SUCCEEDED)
	s.loseRecords(`DELETE FROM payments.customers`)
	if again := s.paid(r, pb.Payment_SUCCEEDED); again.GetChargeId() != paid.GetChargeId() {
		t.Errorf("after the loss: %v", again)
	}
	s.wantCharged(2)
	s.wantIntents("succeeded", "succeeded")
}

// Another product on the same account knows the same person, and even the same
// order id: what lacks our marker is not taken for ours.
func TestWhatIsNotOursIsNotFound(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	var theirs struct{ ID string }
	s.call("/v1/customers", url.Values{"email": {"jane@example.com"}}, &theirs)
	s.clock.Advance(time.Minute)
	end := s.fault(createCustomer, "error_after", 0, 0)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	s.paid(r, pb.Payment_UNKNOWN)
	paid := s.paid(r, pb.Payment_SUCCEEDED) // ours was looked for, under a key whose result is an error
	end()
	if paid.GetCustomerId() == theirs.ID {
		t.Error("charged to another product's customer")
	}
	s.clock.Advance(time.Minute)
	s.call("/v1/payment_intents", url.Values{
		"amount": {"24900"}, "currency": {"usd"}, "customer": {paid.GetCustomerId()}, "metadata[order_id]": {r.GetPurchase().GetOrderId()},
	}, nil)
	s.loseRecords("")
	if found := s.look(r.GetPurchase(), pb.Payment_SUCCEEDED); found.GetPaymentIntentId() != paid.GetPaymentIntentId() {
		t.Errorf("found %v", found)
	}
}

func TestALostPaymentIsFoundBesideACanceledIntent(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	first := s.request(s.purchase("jane@example.com"), "pm_card_chargeDeclined")
	s.paid(first, pb.Payment_REQUIRES_PAYMENT_METHOD)
	s.cancel(first, pb.Payment_CANCELED)
	s.clock.Advance(time.Minute)
	paid := s.paid(s.request(first.GetPurchase(), "pm_card_visa"), pb.Payment_SUCCEEDED)
	s.loseRecords("")
	if found := s.look(first.GetPurchase(), pb.Payment_SUCCEEDED); found.GetChargeId() != paid.GetChargeId() {
		t.Errorf("found %v", found)
	}
}

// The intent that was given up before is not taken for one that was never answered.
func TestACanceledIntentIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	first := s.request(s.purchase("jane@example.com"), "pm_card_chargeDeclined")
	s.paid(first, pb.Payment_REQUIRES_PAYMENT_METHOD)
	s.cancel(first, pb.Payment_CANCELED)
	end := s.fault(createIntent, "reset_before", 0, 0)
	second := s.request(first.GetPurchase(), "pm_card_visa")
	s.paid(second, pb.Payment_UNKNOWN)
	end()
	s.clock.Advance(25 * time.Hour) // its key is too old by now
	second.ChargeBy = timestamppb.New(s.clock.Now().Add(time.Minute))
	s.paid(second, pb.Payment_UNKNOWN) // an old attempt is not confirmed
	s.wantIntents("canceled", "requires_payment_method")
	s.cancel(second, pb.Payment_CANCELED)
	s.wantIntents("canceled", "canceled")
}

func TestAnotherOrdersAttemptIsNotConfirmed(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	end := s.fault(confirmPath, "reset_before", 0, 0)
	mine := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	s.paid(mine, pb.Payment_UNKNOWN)
	end()
	other := s.request(s.purchase("joe@example.com"), "pm_card_mastercard")
	other.AttemptId = mine.GetAttemptId()
	_, err := s.pay.Pay(s.context(), other)
	if e := apperr.Of(err); e == nil || e.Code != codes.Aborted || e.Reason != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("another order's attempt: %v", err)
	}
	s.wantCharged(0)
}
