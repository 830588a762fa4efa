package stripesim_test

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

func TestRestartKeepsEverything(t *testing.T) {
	r := receive(t)
	r.answer(http.StatusInternalServerError)
	cfg := stripesim.Config{JournalPath: filepath.Join(t.TempDir(), "stripe", "journal"), RetryBase: 50 * time.Millisecond,
		Endpoints: []stripesim.Endpoint{{URL: r.URL, Secret: secret}}}
	s := start(t, cfg)
	cus := s.newCustomer()
	pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(keyed(intent(24900, cus.ID), "k")))
	must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Confirm(pi.ID, confirmWith("pm_card_visa")))
	must[*stripe.Refund](t)(s.stripe.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(1)}))
	declined := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(100, cus.ID)))
	_, err := s.stripe.PaymentIntents.Confirm(declined.ID, confirmWith("pm_card_chargeDeclined"))
	wantError(t, err, 402, stripe.ErrorTypeCard, stripe.ErrorCodeCardDeclined)
	before := s.state()

	// A second server on a copy of the file as it is at this moment is what a
	// kill -9 would leave; half a line more is a write that was cut off.
	raw, err := os.ReadFile(cfg.JournalPath)
	if err != nil {
		t.Fatal(err)
	}
	cfg.JournalPath = filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(cfg.JournalPath, append(raw, `{"live":false,"records":[{"ki`...), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second start reads a compacted file
		r.answer(http.StatusInternalServerError)
		again := start(t, cfg)
		if after := again.state(); !reflect.DeepEqual(before, after) {
			t.Fatalf("before %+v\nafter %+v", before, after)
		}
		replayed := must[*stripe.PaymentIntent](t)(again.stripe.PaymentIntents.New(keyed(intent(24900, cus.ID), "k")))
		if replayed.ID != pi.ID || replayed.LastResponse.Header.Get("Idempotent-Replayed") != "true" {
			t.Error("the key was forgotten")
		}
		if err := again.server.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r.answer(http.StatusOK)
	last := start(t, cfg)
	await(t, "the webhooks of before the restart", func() bool {
		for _, d := range last.deliveries() {
			if d.State != "delivered" {
				return false
			}
		}
		return true
	})
	last.control("POST", "reset", nil, nil)
	if st := last.state(); len(st.Charges)+len(st.Customers)+len(st.Events) != 0 {
		t.Errorf("%+v", st)
	}
}
