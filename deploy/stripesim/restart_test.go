package stripesim_test

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

// everything is the account with all its objects, also those that Stripe does
// not have.
func (s *sim) everything() map[string][]map[string]any {
	s.t.Helper()
	var out map[string][]map[string]any
	s.control("GET", "state", nil, &out)
	return out
}

func TestRestartForgetsNoKindOfObjectAndNothingThatIsDue(t *testing.T) {
	cfg := stripesim.Config{JournalPath: filepath.Join(t.TempDir(), "journal")}
	s := start(t, cfg)
	cus := s.payer("pm_card_visa")
	sub := must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(subscription(cus.ID, s.price(2500, "month"))))
	s.items(sub, 12)
	s.control("POST", "charges/"+sub.LatestInvoice.Charge.ID+"/early_fraud_warning", nil, nil)
	s.control("POST", "charges/"+s.pay("pm_card_visa", 500).ID+"/dispute", nil, nil)
	must[*stripe.Refund](t)(s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(s.pay("pm_card_pendingRefund", 700).ID)}))
	s.pay("pm_card_visa", 100000)
	s.debit("pm_usBankAccount_success")
	s.advance(50 * time.Hour) // a payout
	cs := must[*stripe.CheckoutSession](t)(s.stripe.CheckoutSessions.New(func() *stripe.CheckoutSessionParams {
		p := oneTime(24900)
		p.ExpiresAt = stripe.Int64(time.Now().Add(70 * time.Hour).Unix())
		return p
	}()))
	before := s.everything()
	for _, kind := range []string{"customers", "products", "prices", "subscriptions", "invoiceitems", "invoices", "charges", "refunds", "disputes", "balance_transactions",
		"payouts", "radar_early_fraud_warnings", "checkout_sessions", "timers", "clocks", "events"} {
		if len(before[kind]) == 0 {
			t.Errorf("no %s", kind)
		}
	}
	for range 2 { // the second start reads a compacted file
		s.stop()
		s = start(t, cfg)
		after := s.everything()
		for kind := range before {
			if !reflect.DeepEqual(before[kind], after[kind]) {
				t.Errorf("%s: before %v\nafter %v", kind, before[kind], after[kind])
			}
		}
	}
	if status := s.complete(cs.ID, "pm_card_visa"); status != 200 {
		t.Errorf("the session lost its plan: %d", status)
	}
	if pi := s.session(cs.ID).PaymentIntent; pi.Metadata["order_id"] != "7" || pi.Amount != 24900 {
		t.Errorf("%+v", pi)
	}
	s.useCard(cus.ID, "pm_card_chargeCustomerFail")
	s.advance(32 * day)
	s.stop()
	s = start(t, cfg)
	s.advance(20 * day) // the retries go on where they were
	if got := s.sub(sub.ID); got.Status != "canceled" || got.LatestInvoice.AttemptCount != 4 {
		t.Errorf("%s after %d attempts", got.Status, got.LatestInvoice.AttemptCount)
	}
	if timers := s.everything()["timers"]; len(timers) > 1 { // but for the next payout
		t.Errorf("left over: %v", timers)
	}
}
