package stripesim_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

func keyed(p *stripe.PaymentIntentParams, key string) *stripe.PaymentIntentParams {
	p.SetIdempotencyKey(key)
	return p
}

func TestSameKeyRepeatsTheFirstResult(t *testing.T) {
	var day atomic.Int64
	s := start(t, stripesim.Config{Clock: func() time.Time { return time.Unix(1_760_000_000+day.Load()*86400, 0) }})
	first := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(keyed(intent(100, ""), "k")))
	again := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(keyed(intent(100, ""), "k")))
	if !bytes.Equal(first.LastResponse.RawJSON, again.LastResponse.RawJSON) {
		t.Error("not byte for byte")
	}
	h := again.LastResponse.Header
	if h.Get("Idempotent-Replayed") != "true" || h.Get("Original-Request") != first.LastResponse.RequestID ||
		first.LastResponse.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("headers: %v", h)
	}

	_, err := s.stripe.PaymentIntents.New(keyed(intent(101, ""), "k"))
	wantError(t, err, 400, stripe.ErrorTypeIdempotency, "")
	confirm := confirmWith("pm_card_visa")
	confirm.SetIdempotencyKey("k")
	_, err = s.stripe.PaymentIntents.Confirm(first.ID, confirm)
	wantError(t, err, 400, stripe.ErrorTypeIdempotency, "")

	// the other mode has keys of its own
	must[*stripe.PaymentIntent](t)(s.client("sk_live_x").PaymentIntents.New(keyed(intent(101, ""), "k")))

	day.Store(1)
	later := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(keyed(intent(100, ""), "k")))
	if later.ID == first.ID {
		t.Error("the key outlived its day")
	}
}

func TestDeclineIsStoredAndValidationIsNot(t *testing.T) {
	s := start(t, stripesim.Config{})
	pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(100, "")))
	for range 2 {
		p := confirmWith("pm_card_chargeDeclined")
		p.SetIdempotencyKey("attempt")
		_, err := s.stripe.PaymentIntents.Confirm(pi.ID, p)
		wantError(t, err, 402, stripe.ErrorTypeCard, stripe.ErrorCodeCardDeclined)
	}
	if n := len(s.state().Charges); n != 1 {
		t.Errorf("%d charges", n)
	}

	_, err := s.stripe.PaymentIntents.New(keyed(intent(0, ""), "fresh"))
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeParameterInvalidInteger)
	must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(keyed(intent(100, ""), "fresh")))
}

func TestKeyInUse(t *testing.T) {
	s := start(t, stripesim.Config{})
	s.control("POST", "faults", map[string]any{"id": "slow", "method": "POST", "path": "/v1/payment_intents", "mode": "hang_during", "times": 1}, nil)
	done := make(chan error, 1)
	go func() {
		_, err := s.stripe.PaymentIntents.New(keyed(intent(100, ""), "k"))
		done <- err
	}()
	s.awaitHeld("slow", 1)
	_, err := s.stripe.PaymentIntents.New(keyed(intent(100, ""), "k"))
	wantError(t, err, 409, stripe.ErrorTypeIdempotency, stripe.ErrorCodeIdempotencyKeyInUse)
	s.control("DELETE", "faults/slow", nil, nil)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(keyed(intent(100, ""), "k")))
	if pi.LastResponse.Header.Get("Idempotent-Replayed") != "true" || len(s.state().PaymentIntents) != 1 {
		t.Error("the key did not hold")
	}
}

func TestManyAtOnceWithOneKey(t *testing.T) {
	s := start(t, stripesim.Config{})
	results := make(chan error, 32)
	for range cap(results) {
		go func() {
			_, err := s.stripe.PaymentIntents.New(keyed(intent(100, ""), "k"))
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			wantError(t, err, 409, stripe.ErrorTypeIdempotency, stripe.ErrorCodeIdempotencyKeyInUse)
		}
	}
	if n := len(s.state().PaymentIntents); n != 1 {
		t.Errorf("%d intents", n)
	}
}

// TestOnTheWire reads what stripe-go hides: headers and the shape of bodies.
func TestOnTheWire(t *testing.T) {
	s := start(t, stripesim.Config{})
	req, err := http.NewRequest("POST", s.url+"/v1/customers", strings.NewReader("email=jane%40example.com&metadata[a]=%3Cb%3E&preferred_locales[]=de&preferred_locales[]=en"))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("sk_test_makegood", "")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Request-Id"), "req_") || res.Header.Get("Stripe-Version") != stripe.APIVersion {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	for _, want := range []string{`"object": "customer"`, `"a": "<b>"`, `"phone": null`, "\"de\",\n    \"en\""} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("no %s in %s", want, body)
		}
	}
}
