package stripesim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"

	"makegood.example/deploy/stripesim"
)

// sim is a simulator behind a real listener, with the real client of Stripe's.
type sim struct {
	t      *testing.T
	url    string
	server *stripesim.Server
	http   *httptest.Server
	stripe *client.API
}

func start(t *testing.T, cfg stripesim.Config) *sim {
	t.Helper()
	server, err := stripesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &sim{t: t, server: server, http: httptest.NewServer(server.Handler())}
	s.url = s.http.URL
	s.stripe = s.client("sk_test_makegood")
	t.Cleanup(s.stop)
	return s
}

func (s *sim) stop() {
	if err := s.server.Close(); err != nil {
		s.t.Error(err)
	}
	s.http.Close()
}

func (s *sim) client(key string) *client.API {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL:               stripe.String(s.url),
		MaxNetworkRetries: stripe.Int64(0),
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
		HTTPClient:        &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	})
	return client.New(key, &stripe.Backends{API: backend, Connect: backend, Uploads: backend})
}

// control calls an endpoint under /_sim/ and decodes the answer into out.
func (s *sim) control(method, path string, in, out any) {
	s.t.Helper()
	status, raw := s.ask(method, path, in)
	if status != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s", method, path, status, raw)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			s.t.Fatal(err)
		}
	}
}

// status calls a control that may be refused.
func (s *sim) status(method, path string, in any) int {
	s.t.Helper()
	status, _ := s.ask(method, path, in)
	return status
}

func (s *sim) ask(method, path string, in any) (int, []byte) {
	s.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequest(method, s.url+"/_sim/"+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, raw
}

type state struct {
	Charges        []stripe.Charge        `json:"charges"`
	PaymentIntents []stripe.PaymentIntent `json:"payment_intents"`
	Customers      []stripe.Customer      `json:"customers"`
	Events         []stripe.Event         `json:"events"`
}

func (s *sim) state() state {
	s.t.Helper()
	var out state
	s.control("GET", "state", nil, &out)
	return out
}

// await polls until the condition holds.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if condition() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("gave up waiting for: " + what)
		}
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantError(t *testing.T, err error, status int, errorType stripe.ErrorType, code stripe.ErrorCode) *stripe.Error {
	t.Helper()
	var e *stripe.Error
	if !errors.As(err, &e) {
		t.Fatalf("want a Stripe error %d %s, got %v", status, code, err)
	}
	if e.HTTPStatusCode != status || e.Type != errorType || e.Code != code {
		t.Fatalf("want %d %s %q, got %d %s %q: %s", status, errorType, code, e.HTTPStatusCode, e.Type, e.Code, e.Msg)
	}
	return e
}

// intent is what Payments asks for: cards only, no redirects.
func intent(amount int64, customer string) *stripe.PaymentIntentParams {
	p := &stripe.PaymentIntentParams{
		Amount:   stripe.Int64(amount),
		Currency: stripe.String("usd"),
		AutomaticPaymentMethods: &stripe.PaymentIntentAutomaticPaymentMethodsParams{
			Enabled: stripe.Bool(true), AllowRedirects: stripe.String("never")},
	}
	if customer != "" {
		p.Customer = stripe.String(customer)
	}
	p.AddMetadata("order_id", "0193-example")
	return p
}

func confirmWith(pm string) *stripe.PaymentIntentConfirmParams {
	return &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String(pm)}
}

func eventTypes(st state) []string {
	var out []string
	for _, e := range st.Events {
		out = append(out, string(e.Type))
	}
	return out
}
