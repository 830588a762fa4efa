package stripesim_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

type faultView struct {
	ID         string
	Hits, Held int
}

func (s *sim) fault(id string) faultView {
	s.t.Helper()
	var out struct{ Faults []faultView }
	s.control("GET", "faults", nil, &out)
	for _, f := range out.Faults {
		if f.ID == id {
			return f
		}
	}
	s.t.Fatal("no fault " + id)
	return faultView{}
}

func (s *sim) awaitHeld(id string, n int) {
	s.t.Helper()
	await(s.t, "a held request", func() bool { return s.fault(id).Held == n })
}

func (s *sim) addFault(mode string, times, status int) {
	s.t.Helper()
	s.control("POST", "faults", map[string]any{"id": "f", "method": "POST", "path": "/v1/payment_intents/*/confirm",
		"mode": mode, "times": times, "status": status}, nil)
}

// confirmKeyed confirms with a card and a key, as an attempt does.
func (s *sim) confirmKeyed(ctx context.Context, id, key string) (*stripe.PaymentIntent, error) {
	p := confirmWith("pm_card_visa")
	p.SetIdempotencyKey(key)
	p.Context = ctx
	return s.stripe.PaymentIntents.Confirm(id, p)
}

func TestErrorsBeforeExecutionChangeNothing(t *testing.T) {
	for _, c := range []struct {
		status    int
		errorType stripe.ErrorType
		code      stripe.ErrorCode
	}{
		{409, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeLockTimeout},
		{429, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeRateLimit},
		{500, stripe.ErrorTypeAPI, ""},
		{503, stripe.ErrorTypeAPI, ""},
	} {
		s := start(t, stripesim.Config{})
		pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(100, "")))
		s.addFault("error_before", 3, c.status)
		for range 3 {
			_, err := s.confirmKeyed(t.Context(), pi.ID, "attempt")
			wantError(t, err, c.status, c.errorType, c.code)
		}
		if n := len(s.state().Charges); n != 0 {
			t.Fatalf("%d: %d charges", c.status, n)
		}
		pi = must[*stripe.PaymentIntent](t)(s.confirmKeyed(t.Context(), pi.ID, "attempt"))
		if f := s.fault("f"); pi.Status != stripe.PaymentIntentStatusSucceeded || f.Hits != 3 {
			t.Fatalf("%d: %s after %d hits", c.status, pi.Status, f.Hits)
		}
	}
}

func TestErrorAfterExecutionIsStoredUnderTheKey(t *testing.T) {
	s := start(t, stripesim.Config{})
	pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(100, "")))
	s.addFault("error_after", 1, 0)
	for range 3 {
		_, err := s.confirmKeyed(t.Context(), pi.ID, "attempt")
		wantError(t, err, 500, stripe.ErrorTypeAPI, "")
	}
	st := s.state()
	if len(st.Charges) != 1 || !st.Charges[0].Paid || st.PaymentIntents[0].Status != stripe.PaymentIntentStatusSucceeded {
		t.Fatalf("%+v", st.Charges)
	}
}

func TestResets(t *testing.T) {
	for mode, charges := range map[string]int{"reset_before": 0, "reset_after": 1} {
		s := start(t, stripesim.Config{})
		pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(100, "")))
		s.addFault(mode, 1, 0)
		_, err := s.confirmKeyed(t.Context(), pi.ID, "attempt")
		var answered *stripe.Error
		if err == nil || errors.As(err, &answered) {
			t.Fatalf("%s: %v", mode, err)
		}
		if n := len(s.state().Charges); n != charges {
			t.Errorf("%s: %d charges", mode, n)
		}
		pi = must[*stripe.PaymentIntent](t)(s.confirmKeyed(t.Context(), pi.ID, "attempt"))
		if n := len(s.state().Charges); n != 1 || pi.Status != stripe.PaymentIntentStatusSucceeded {
			t.Errorf("%s: %d charges after the retry, %s", mode, n, pi.Status)
		}
	}
}

func TestHeldUntilReleased(t *testing.T) {
	for mode, chargesMeanwhile := range map[string]int{"hang_before": 0, "hang_during": 0, "hang_after": 1} {
		s := start(t, stripesim.Config{})
		pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(100, "")))
		s.addFault(mode, 1, 0)
		done := make(chan error, 1)
		go func() {
			_, err := s.confirmKeyed(t.Context(), pi.ID, "attempt")
			done <- err
		}()
		s.awaitHeld("f", 1)
		if n := len(s.state().Charges); n != chargesMeanwhile {
			t.Errorf("%s: %d charges while held", mode, n)
		}
		s.control("DELETE", "faults", nil, nil)
		if err := <-done; err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		if n := len(s.state().Charges); n != 1 {
			t.Errorf("%s: %d charges at the end", mode, n)
		}
	}
}

func TestHeldUntilTheClientLeaves(t *testing.T) {
	// what Stripe has done once the client is gone and the fault is removed
	for mode, charges := range map[string]int{"hang_before": 0, "hang_during": 1, "hang_after": 1} {
		s := start(t, stripesim.Config{})
		pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(100, "")))
		s.addFault(mode, 1, 0)
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := s.confirmKeyed(ctx, pi.ID, "attempt")
			done <- err
		}()
		s.awaitHeld("f", 1)
		leave()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", mode, err)
		}
		if mode != "hang_during" {
			s.awaitHeld("f", 0)
		}
		s.control("DELETE", "faults/f", nil, nil)
		await(t, mode+": the charges", func() bool { return len(s.state().Charges) == charges })
	}
}

func TestProbability(t *testing.T) {
	s := start(t, stripesim.Config{})
	s.control("POST", "faults", map[string]any{"id": "f", "path": "/v1/customers", "mode": "error_before", "status": 503, "probability": 0.5}, nil)
	failed := 0
	for range 100 {
		if _, err := s.stripe.Customers.New(nil); err != nil {
			wantError(t, err, 503, stripe.ErrorTypeAPI, "")
			failed++
		}
	}
	if hits := s.fault("f").Hits; hits != failed || failed < 10 || failed > 90 {
		t.Errorf("%d of 100 failed, %d hits", failed, hits)
	}
}
