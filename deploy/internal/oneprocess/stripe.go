package oneprocess

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"makegood.example/deploy/stripesim"
)

// Stripe is the simulated account from outside: the truth that the product is
// compared with, and the hands of the account's owner and of the customers.
// Nothing here passes through the product.
type Stripe struct {
	// URL is where the product reaches it.
	URL string

	t       testing.TB
	handler http.Handler
}

// Post calls the API as the account's owner does in the dashboard.
func (s *Stripe) Post(path string, form url.Values, into any) {
	s.t.Helper()
	s.ok(s.request(http.MethodPost, path, form), into)
}

// Delete calls the API as the account's owner does in the dashboard.
func (s *Stripe) Delete(path string) {
	s.t.Helper()
	s.ok(s.request(http.MethodDelete, path, nil), nil)
}

// Get reads an object or a list of the API.
func (s *Stripe) Get(path string, query url.Values, into any) {
	s.t.Helper()
	s.ok(s.request(http.MethodGet, path+"?"+query.Encode(), nil), into)
}

// Control calls one of the simulator's controls, and fails the test when it
// refuses.
func (s *Stripe) Control(path string, body, into any) {
	s.t.Helper()
	if status, said := s.TryControl(path, body); status >= 300 {
		s.t.Fatalf("%s: %d %s", path, status, said)
	} else if into != nil {
		s.decode(path, said, into)
	}
}

// TryControl calls one of the simulator's controls; nil is a GET.
func (s *Stripe) TryControl(path string, body any) (status int, said []byte) {
	s.t.Helper()
	method, sent := http.MethodGet, []byte(nil)
	if body != nil {
		method = http.MethodPost
		var err error
		if sent, err = json.Marshal(body); err != nil {
			s.t.Fatal(err)
		}
	}
	recorder := s.serve(httptest.NewRequestWithContext(s.t.Context(), method, s.URL+path, bytes.NewReader(sent)))
	return recorder.Code, recorder.Body.Bytes()
}

// Try calls the API as the account's owner does, and answers with what it said.
func (s *Stripe) Try(method, path string, form url.Values, into any) (status int) {
	s.t.Helper()
	recorder := s.serve(s.request(method, path, form))
	if recorder.Code < 300 && into != nil {
		s.decode(path, recorder.Body.Bytes(), into)
	}
	return recorder.Code
}

// Remove deletes one of the simulator's settings.
func (s *Stripe) Remove(control string) {
	s.t.Helper()
	if recorder := s.serve(httptest.NewRequestWithContext(s.t.Context(), http.MethodDelete, s.URL+control, nil)); recorder.Code >= 300 {
		s.t.Fatalf("removing %s: %d %s", control, recorder.Code, recorder.Body)
	}
}

// PayInvoice is the customer on the invoice's hosted page, with a card that the
// subscription keeps when it pays.
func (s *Stripe) PayInvoice(id, card string) {
	s.t.Helper()
	recorder := s.serve(s.request(http.MethodPost, "/_sim/invoices/"+id, url.Values{"payment_method": {card}}))
	if recorder.Code >= 400 {
		s.t.Fatalf("paying invoice %s: %d %s", id, recorder.Code, recorder.Body)
	}
}

// request is one with a form, which may be empty.
func (s *Stripe) request(method, path string, form url.Values) *http.Request {
	r := httptest.NewRequestWithContext(stripesim.Undisturbed(s.t.Context()), method, s.URL+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+stripeKey)
	return r
}

func (s *Stripe) serve(r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	s.handler.ServeHTTP(recorder, r)
	return recorder
}

func (s *Stripe) ok(r *http.Request, into any) {
	s.t.Helper()
	recorder := s.serve(r)
	if recorder.Code != http.StatusOK {
		s.t.Fatalf("%s %s at Stripe: %d %s", r.Method, r.URL.Path, recorder.Code, recorder.Body)
	}
	if into != nil {
		s.decode(r.URL.Path, recorder.Body.Bytes(), into)
	}
}

func (s *Stripe) decode(what string, body []byte, into any) {
	s.t.Helper()
	if err := json.Unmarshal(body, into); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// nextTimer is when something happens at Stripe by itself; zero when nothing will.
func (s *Stripe) nextTimer() time.Time {
	s.t.Helper()
	var clock struct {
		NextAt *time.Time `json:"next_at"`
	}
	s.Control("/_sim/clock", nil, &clock)
	if clock.NextAt == nil {
		return time.Time{}
	}
	return *clock.NextAt
}

// list reads all pages of a list, newest first.
func list[T any](s *Stripe, path string, query url.Values, id func(T) string) []T {
	s.t.Helper()
	all := []T{}
	query.Set("limit", "100")
	for {
		var page struct {
			Data    []T  `json:"data"`
			HasMore bool `json:"has_more"`
		}
		s.Get(path, query, &page)
		all = append(all, page.Data...)
		if !page.HasMore {
			return all
		}
		query.Set("starting_after", id(page.Data[len(page.Data)-1]))
	}
}
