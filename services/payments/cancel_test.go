package payments_test

import (
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

const (
	createCustomer = "POST /v1/customers"
	createIntent   = "POST /v1/payment_intents"
	confirmPath    = "POST /v1/payment_intents/*/confirm"
	cancelPath     = "POST /v1/payment_intents/*/cancel"
)

func TestCancelBeforePay(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	s.cancel(r, pb.Payment_CANCELED)
	s.cancel(r, pb.Payment_CANCELED)
	s.paid(r, pb.Payment_CANCELED) // the Pay that comes late
	s.look(r.GetPurchase(), pb.Payment_CANCELED)
	for _, asked := range s.asked() {
		if asked.method == "POST" {
			t.Errorf("Stripe was asked to %s", asked)
		}
	}
}

func TestCancelAfterADecline(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_chargeDeclined")
	s.paid(r, pb.Payment_REQUIRES_PAYMENT_METHOD)
	s.cancel(r, pb.Payment_CANCELED)
	s.wantIntents("canceled")

	// Another attempt on the order gets an intent of its own, now that Stripe
	// shows the old one canceled.
	s.paid(s.request(r.GetPurchase(), "pm_card_visa"), pb.Payment_SUCCEEDED)
	s.wantIntents("canceled", "succeeded")
	if late := s.paid(r, pb.Payment_SUCCEEDED); late.GetAttemptId() == r.GetAttemptId() {
		t.Errorf("the canceled attempt asked again: %v", late)
	}
	s.wantCharged(1)
}

func TestAnAttemptCanceledBeforeAnotherIntentStaysCanceled(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	first := s.request(p, "pm_card_visa")
	s.cancel(first, pb.Payment_CANCELED)
	end := s.fault(confirmPath, "reset_before", 0, 0)
	second := s.request(p, "pm_card_visa")
	s.paid(second, pb.Payment_UNKNOWN)
	end()
	s.forget()
	s.paid(first, pb.Payment_UNKNOWN) // speaks of the latest attempt, and confirms nothing
	if n := s.askedCount(confirmCall); n != 0 {
		t.Errorf("the canceled attempt sent %d confirms", n)
	}
	s.paid(second, pb.Payment_SUCCEEDED)
	s.wantCharged(1)
}

func TestCancelOfAPaidIntentIsASuccess(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	end := s.fault(confirmPath, "reset_after", 0, 0)
	s.paid(r, pb.Payment_SUCCEEDED) // no answer to the confirm, but the intent could be read
	end()
	s.cancel(r, pb.Payment_SUCCEEDED)

	// The same when nothing could be read: Stripe knows, and we learn it here.
	other := s.request(s.purchase("joe@example.com"), "pm_card_visa")
	ends := []func(){s.fault(confirmPath, "reset_after", 0, 0), s.fault("GET /v1/payment_intents/*", "error_before", 0, 503)}
	s.paid(other, pb.Payment_UNKNOWN)
	for _, end := range ends {
		end()
	}
	if got := s.cancel(other, pb.Payment_SUCCEEDED); got.GetChargeId() == "" || got.GetAmountMinor() != price {
		t.Errorf("canceling a paid intent: %v", got)
	}
	s.wantCharged(2)
}

func TestCancelWhileTheIntentIsBeingCreated(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"hang_before", "hang_during", "hang_after"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			end := s.fault(createIntent, mode, 1, 0)
			r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
			var paying sync.WaitGroup
			paying.Go(func() {
				got, err := s.pay.Pay(s.context(), r)
				if err != nil || got.GetStatus() != pb.Payment_CANCELED {
					t.Errorf("the Pay that was under way: %v, %v", got, err)
				}
			})
			s.awaitHeld(1)
			s.cancel(r, pb.Payment_CANCELED)
			end()
			paying.Wait()
			s.wantIntents("canceled")
			s.paid(r, pb.Payment_CANCELED)
			if n := s.askedCount(confirmCall); n != 0 {
				t.Errorf("%d confirms were sent", n)
			}
		})
	}
}

func TestCancelWhileTheConfirmIsOnItsWay(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"hang_before", "hang_during"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			end := s.fault(confirmPath, mode, 1, 0)
			r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
			var paying sync.WaitGroup
			paying.Go(func() {
				got, err := s.pay.Pay(s.context(), r)
				if err != nil || got.GetStatus() != pb.Payment_CANCELED {
					t.Errorf("the Pay that was under way: %v, %v", got, err)
				}
			})
			s.awaitHeld(1)
			s.cancel(r, pb.Payment_CANCELED)
			end()
			paying.Wait()
			s.wantCharged(0)
			s.wantIntents("canceled")
		})
	}
}

func TestCancelWhenTheConfirmCameFirst(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	end := s.fault(confirmPath, "hang_after", 1, 0)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	var paying sync.WaitGroup
	paying.Go(func() {
		got, err := s.pay.Pay(s.context(), r)
		if err != nil || got.GetStatus() != pb.Payment_SUCCEEDED {
			t.Errorf("the Pay that was under way: %v, %v", got, err)
		}
	})
	s.awaitHeld(1)
	s.cancel(r, pb.Payment_SUCCEEDED)
	end()
	paying.Wait()
	s.wantCharged(1)
}

// An intent whose creation was never answered does not stay payable at Stripe
// when its order is given up.
func TestCancelFindsAnIntentThatWasNotSaved(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	end := s.fault(createIntent, "reset_after", 0, 0)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	s.paid(r, pb.Payment_UNKNOWN)
	end()
	s.cancel(r, pb.Payment_CANCELED)
	s.wantIntents("canceled")
}

func TestStripeAwayMeansUnknown(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	r := s.request(p, "pm_card_visa")
	end := s.fault(" /v1/*", "reset_before", 0, 0)
	s.look(p, pb.Payment_UNKNOWN) // no record here, and Stripe cannot be asked
	s.cancel(r, pb.Payment_UNKNOWN)
	s.paid(r, pb.Payment_UNKNOWN)
	s.look(p, pb.Payment_UNKNOWN)
	end()
	s.look(p, pb.Payment_UNKNOWN) // an attempt is open
	s.paid(r, pb.Payment_SUCCEEDED)

	other := s.purchase("joe@example.com")
	open := s.paid(s.request(other, "pm_card_authenticationRequired"), pb.Payment_REQUIRES_ACTION)
	end = s.fault(cancelPath, "error_before", 0, 500)
	again := &pb.PayRequest{Purchase: other, AttemptId: open.GetAttemptId()}
	if got, err := s.pay.CancelPayment(s.context(), &pb.CancelPaymentRequest{Purchase: other, AttemptId: open.GetAttemptId()}); err != nil ||
		got.GetStatus() == pb.Payment_CANCELED || got.GetStatus() == pb.Payment_SUCCEEDED {
		t.Errorf("a cancel without an answer: %v, %v", got, err)
	}
	end()
	s.cancel(again, pb.Payment_CANCELED)
}

func TestOurKeyRefusedMeansUnknown(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403} {
		for _, call := range []string{createCustomer, createIntent, confirmPath} {
			s := newScene(t, nil)
			end := s.fault(call, "error_before", 0, status)
			r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
			s.paid(r, pb.Payment_UNKNOWN)
			s.paid(r, pb.Payment_UNKNOWN)
			s.wantCharged(0)
			// 401 and 403 are an incident of ours: a person must hear of it.
			if s.cases.count(reconciliationv1.Case_STRIPE_ACCESS, "stripe/key") == 0 {
				t.Errorf("%d on %s is nobody's case", status, call)
			}
			end()
			s.paid(r, pb.Payment_SUCCEEDED)
			s.wantCharged(1)
		}
	}
}

// After Stripe may have forgotten the keys, what exists is read before anything
// is written.
func TestOldKeysAreNotUsedAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	later := func(r *pb.PayRequest) {
		s.clock.Advance(25 * time.Hour)
		r.ChargeBy = timestamppb.New(s.clock.Now().Add(5 * time.Minute))
		s.forget()
	}
	writes := func() (out []string) {
		for _, r := range s.asked() {
			if r.method == "POST" {
				out = append(out, r.String())
			}
		}
		return out
	}

	// The intent exists, and was never answered.
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	end := s.fault(createIntent, "reset_after", 0, 0)
	s.paid(r, pb.Payment_UNKNOWN)
	end()
	later(r)
	s.paid(r, pb.Payment_UNKNOWN)
	if w := writes(); len(w) != 0 {
		t.Errorf("with an old attempt Stripe was asked to %v", w)
	}
	s.wantIntents("requires_payment_method")

	// The confirm was executed, and never answered.
	r = s.request(s.purchase("joe@example.com"), "pm_card_visa")
	ends := []func(){s.fault(confirmPath, "reset_after", 0, 0), s.fault("GET /v1/payment_intents/*", "error_before", 0, 503)}
	s.paid(r, pb.Payment_UNKNOWN)
	for _, end := range ends {
		end()
	}
	later(r)
	s.paid(r, pb.Payment_SUCCEEDED)
	if w := writes(); len(w) != 0 {
		t.Errorf("with an old confirm Stripe was asked to %v", w)
	}
	s.wantCharged(1)

	// The confirm never arrived: it is not sent again.
	r = s.request(s.purchase("jim@example.com"), "pm_card_visa")
	end = s.fault(confirmPath, "reset_before", 0, 0)
	s.paid(r, pb.Payment_UNKNOWN)
	end()
	later(r)
	s.paid(r, pb.Payment_UNKNOWN)
	if n := s.askedCount(confirmCall); n != 0 {
		t.Errorf("%d confirms of an old attempt", n)
	}
	s.cancel(r, pb.Payment_CANCELED)
	s.wantCharged(1)
}

// Whether an address has its customer, nobody could say: another one is not made.
func TestACustomerThatCannotBeLookedUpIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	end := s.fault(createCustomer, "reset_after", 0, 0) // there is one, and nobody heard of it
	first := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	s.paid(first, pb.Payment_UNKNOWN)
	s.cancel(first, pb.Payment_CANCELED)
	end()
	s.clock.Advance(48 * time.Hour)
	s.forget()
	end = s.fault("GET /v1/customers", "error_before", 0, 503)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	for range 2 {
		s.paid(r, pb.Payment_UNKNOWN)
	}
	if n := s.askedCount(createCustomer); n != 0 {
		t.Errorf("asked for %d more customers while nobody could say whether there is one", n)
	}
	end()
	s.paid(r, pb.Payment_SUCCEEDED)
	if n := len(s.account().Customers); n != 1 {
		t.Errorf("%d customers", n)
	}
}

// A customer that could not be created is no reason to turn the address away
// for ever, and is looked for before another is made.
func TestAnAddressWhoseCustomerCouldNotBeCreatedCanBuyLater(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	for _, mode := range []string{"error_before", "reset_after"} {
		email := mode + "@example.com"
		end := s.fault(createCustomer, mode, 0, 503)
		first := s.request(s.purchase(email), "pm_card_visa")
		s.paid(first, pb.Payment_UNKNOWN)
		s.cancel(first, pb.Payment_CANCELED)
		end()
		s.clock.Advance(48 * time.Hour)
		s.paid(s.request(s.purchase(email), "pm_card_visa"), pb.Payment_SUCCEEDED)
	}
	if n := len(s.account().Customers); n != 2 {
		t.Errorf("%d customers for two addresses", n)
	}
}
