package payments_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// stripeSide is the simulated Stripe and the way to it, on which every request
// is written down.
type stripeSide struct {
	t       *testing.T
	url     string
	key     string // the account's, which chooses the mode
	handler http.Handler

	mu       sync.Mutex
	requests []stripeRequest
}

// stripeRequest is a request as Payments sent it.
type stripeRequest struct {
	method, path, key string
	form              url.Values
}

// String is "POST /v1/payment_intents/*/confirm".
func (r stripeRequest) String() string {
	parts := strings.Split(r.path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "pi_") || strings.HasPrefix(p, "cus_") || strings.HasPrefix(p, "ch_") || strings.HasPrefix(p, "py_") {
			parts[i] = "*"
		}
	}
	return r.method + " " + strings.Join(parts, "/")
}

func (s *stripeSide) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		form := r.URL.Query()
		if posted, err := url.ParseQuery(string(body)); err == nil {
			for k, v := range posted {
				form[k] = append(form[k], v...)
			}
		}
		s.mu.Lock()
		s.requests = append(s.requests, stripeRequest{r.Method, r.URL.Path, r.Header.Get("Idempotency-Key"), form})
		s.mu.Unlock()
	}
	s.handler.ServeHTTP(w, r)
}

// asked lists what was asked of Stripe so far.
func (s *stripeSide) asked() []stripeRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]stripeRequest{}, s.requests...)
}

func (s *stripeSide) askedCount(what string) int {
	n := 0
	for _, r := range s.asked() {
		if r.String() == what {
			n++
		}
	}
	return n
}

func (s *stripeSide) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

const confirmCall = "POST /v1/payment_intents/*/confirm"

// control calls the simulator's own controls.
func (s *stripeSide) control(method, path string, in, out any) {
	s.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+"/_sim/"+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	s.do(req, out)
}

// call is Stripe's own API, for what somebody else does on the account.
func (s *stripeSide) call(path string, form url.Values, out any) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+s.key)
	s.do(req, out)
}

// callRefused is a call that Stripe answers with a refused card.
func (s *stripeSide) callRefused(path string, form url.Values) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+s.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusPaymentRequired {
		s.t.Fatalf("POST %s: %s, and the card should be refused", path, res.Status)
	}
}

func (s *stripeSide) do(req *http.Request, out any) {
	s.t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %s %s %v", req.Method, req.URL.Path, res.Status, body, err)
	}
	if out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			s.t.Fatal(err)
		}
	}
}

// fault spoils some requests, and returns how to end it.
func (s *stripeSide) fault(path, mode string, times, status int) (end func()) {
	s.t.Helper()
	var made struct{ ID string }
	s.control(http.MethodPost, "faults", map[string]any{"method": methodOf(path), "path": pathOf(path), "mode": mode, "times": times, "status": status}, &made)
	return func() {
		s.t.Helper()
		s.control(http.MethodDelete, "faults/"+made.ID, nil, nil)
	}
}

func methodOf(call string) string { method, _, _ := strings.Cut(call, " "); return method }
func pathOf(call string) string   { _, path, _ := strings.Cut(call, " "); return path }

// awaitHeld waits until a fault holds so many requests.
func (s *stripeSide) awaitHeld(n int) {
	s.t.Helper()
	await(s.t, "requests that Stripe holds", func() bool {
		var out struct{ Faults []struct{ Held int } }
		s.control(http.MethodGet, "faults", nil, &out)
		held := 0
		for _, f := range out.Faults {
			held += f.Held
		}
		return held == n
	})
}

// account is what there is at Stripe.
type account struct {
	Customers []struct {
		ID, Email string
		Metadata  map[string]string
	}
	Intents []struct {
		ID, Status, Customer string
		Metadata             map[string]string
	} `json:"payment_intents"`
	Charges []struct {
		ID, Status    string
		PaymentIntent string `json:"payment_intent"`
		Amount        int64
		Refunded      int64 `json:"amount_refunded"`
	}
	Refunds []struct {
		ID, Status, Charge string
		Amount             int64
	}
	Disputes      []struct{ ID, Charge string }
	Products      []struct{ ID string }
	Subscriptions []struct {
		ID, Status, Customer string
		PeriodEnd            int64 `json:"current_period_end"`
		Metadata             map[string]string
	}
	Invoices []struct {
		ID, Status, Charge, Subscription string
		Intent                           string `json:"payment_intent"`
	}
	Sessions []struct{ ID, Status string } `json:"checkout_sessions"`
	Events   []json.RawMessage
}

func (s *stripeSide) account() account {
	s.t.Helper()
	var a account
	s.control(http.MethodGet, "state", nil, &a)
	return a
}

// charged counts the charges that took money.
func (a account) charged() int {
	n := 0
	for _, c := range a.Charges {
		if c.Status == "succeeded" {
			n++
		}
	}
	return n
}

func (s *stripeSide) wantCharged(n int) {
	s.t.Helper()
	if got := s.account().charged(); got != n {
		s.t.Fatalf("Stripe charged %d times, want %d", got, n)
	}
}

func (s *stripeSide) wantIntents(statuses ...string) {
	s.t.Helper()
	var got []string
	for _, pi := range s.account().Intents {
		got = append(got, pi.Status)
	}
	if fmt.Sprint(got) != fmt.Sprint(statuses) {
		s.t.Fatalf("the payment intents at Stripe are %v, want %v", got, statuses)
	}
}

// authenticate is the buyer at the end of 3-D Secure.
func (s *stripeSide) authenticate(intentID, outcome string) {
	s.t.Helper()
	s.control(http.MethodPost, "payment_intents/"+intentID+"/authenticate", map[string]string{"outcome": outcome}, nil)
}

// event finds the last event of a type as Stripe would deliver it.
func (s *stripeSide) event(eventType string) []byte {
	s.t.Helper()
	var found []byte
	for _, raw := range s.account().Events {
		var e struct{ Type string }
		if err := json.Unmarshal(raw, &e); err != nil {
			s.t.Fatal(err)
		}
		if e.Type == eventType {
			found = raw
		}
	}
	if found == nil {
		s.t.Fatalf("no event %s at Stripe", eventType)
	}
	return found
}

// sign makes the header under which Stripe delivers a body.
func sign(secret string, at time.Time, payload []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), payload)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

// remove is a DELETE of Stripe's own API.
func (s *stripeSide) remove(path string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodDelete, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	s.do(req, nil)
}
