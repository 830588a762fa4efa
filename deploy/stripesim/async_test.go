package stripesim_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

func (s *sim) debit(method string) *stripe.PaymentIntent {
	s.t.Helper()
	pi := must[*stripe.PaymentIntent](s.t)(s.stripe.PaymentIntents.New(intent(24900, "")))
	p := confirmWith(method)
	p.AddExpand("latest_charge")
	pi = must[*stripe.PaymentIntent](s.t)(s.stripe.PaymentIntents.Confirm(pi.ID, p))
	if pi.Status != stripe.PaymentIntentStatusProcessing || pi.LatestCharge.Status != stripe.ChargeStatusPending || pi.LatestCharge.Paid || pi.AmountReceived != 0 {
		s.t.Fatalf("%+v, charge %+v", pi, pi.LatestCharge)
	}
	return pi
}

func TestDebitsSettleByTheClock(t *testing.T) {
	began := []string{"payment_intent.created", "payment_intent.processing", "charge.pending"}
	for method, end := range map[string][]string{
		"pm_usBankAccount_success":    {"charge.succeeded", "payment_intent.succeeded"},
		"pm_sim_async_success":        {"charge.succeeded", "payment_intent.succeeded"},
		"pm_usBankAccount_failure":    {"charge.failed", "payment_intent.payment_failed"},
		"pm_sim_async_failure":        {"charge.failed", "payment_intent.payment_failed"},
		"pm_usBankAccount_processing": {},
	} {
		t.Run(method, func(t *testing.T) {
			cfg := stripesim.Config{JournalPath: filepath.Join(t.TempDir(), "journal")}
			s := start(t, cfg)
			pi := s.debit(method)
			_, err := s.stripe.PaymentIntents.Cancel(pi.ID, nil)
			wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentUnexpectedState)
			s.advance(71 * time.Hour)
			if got := eventTypes(s.state()); !slices.Equal(got, began) {
				t.Errorf("too early: %v", got)
			}
			s.stop()
			s = start(t, cfg)
			s.advance(24 * time.Hour)
			events := s.state().Events
			if got, want := eventTypes(s.state()), append(slices.Clone(began), end...); !slices.Equal(got, want) {
				t.Fatalf("events %v, want %v", got, want)
			}
			if last := events[len(events)-1]; len(end) > 0 && last.Created != pi.LatestCharge.Created+72*3600 {
				t.Errorf("the outcome is dated %d s after the charge", last.Created-pi.LatestCharge.Created)
			}
			ch := must[*stripe.Charge](t)(s.stripe.Charges.Get(pi.LatestCharge.ID, nil))
			if len(end) > 0 && ch.Paid != (end[0] == "charge.succeeded") || ch.PaymentMethodDetails.USBankAccount.Last4 == "" {
				t.Errorf("%+v", ch)
			}
		})
	}
}

func TestDebitsAreDecidedByHand(t *testing.T) {
	s := start(t, stripesim.Config{})
	pi := s.debit("pm_usBankAccount_processing")
	s.control("POST", "payment_intents/"+pi.ID+"/settle", map[string]string{"outcome": "success"}, nil)
	if status := s.status("POST", "payment_intents/"+pi.ID+"/settle", map[string]string{"outcome": "success"}); status != 409 {
		t.Errorf("twice: %d", status)
	}
	pi = must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Get(pi.ID, nil))
	if pi.Status != stripe.PaymentIntentStatusSucceeded || pi.AmountReceived != 24900 {
		t.Errorf("%+v", pi)
	}
	pi = s.debit("pm_usBankAccount_success")
	s.control("POST", "payment_intents/"+pi.ID+"/settle", map[string]string{"outcome": "failure"}, nil)
	pi = must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Get(pi.ID, nil))
	if pi.Status != stripe.PaymentIntentStatusRequiresPaymentMethod || pi.LastPaymentError == nil {
		t.Errorf("%+v", pi)
	}
	pi = must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Confirm(pi.ID, confirmWith("pm_card_visa")))
	s.advance(100 * time.Hour) // the debit's own day changes nothing any more
	if got := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Get(pi.ID, nil)); got.Status != stripe.PaymentIntentStatusSucceeded {
		t.Errorf("%+v", got)
	}

	cards := intent(100, "")
	cards.AutomaticPaymentMethods, cards.PaymentMethodTypes = nil, stripe.StringSlice([]string{"card"})
	only := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(cards))
	_, err := s.stripe.PaymentIntents.Confirm(only.ID, confirmWith("pm_usBankAccount_success"))
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentIncompatiblePaymentMethod)
}

func TestTimePassesByItself(t *testing.T) {
	s := start(t, stripesim.Config{})
	s.control("POST", "settings", map[string]any{"async_settle_hours": 0}, nil)
	s.debit("pm_sim_async_success")
	await(t, "the bank's answer", func() bool { return slices.Contains(eventTypes(s.state()), "payment_intent.succeeded") })
}
