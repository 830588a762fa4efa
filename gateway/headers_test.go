package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// admin is where people with a role arrive; the log says where that is.
func (r *running) admin(t *testing.T) *running {
	t.Helper()
	address := regexp.MustCompile(`"listener":"admin","address":"([^"]+)"`)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if found := address.FindStringSubmatch(r.log.String()); found != nil {
			return &running{url: "http://" + found[1]}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log names no admin listener: %s", r.log)
		}
	}
}

// described are the calls that a listener's own description has.
func (r *running) described(t *testing.T) (calls [][2]string) {
	t.Helper()
	var api struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal([]byte(r.do(t, http.MethodGet, "/openapi.json", "", "Authorization", "Bearer "+supportToken).body), &api); err != nil {
		t.Fatal(err)
	}
	for path, methods := range api.Paths {
		for method := range methods {
			calls = append(calls, [2]string{strings.ToUpper(method), regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, reference)})
		}
	}
	return calls
}

// Every answer of both listeners, whatever it answers, tells the browser not to
// guess, not to frame and not to tell others where its reader was.
func TestEveryAnswerHasSafeHeaders(t *testing.T) {
	gw := start(t, map[string]string{"PUBLIC_URL": "https://shop.example.com", "ALLOWED_ORIGINS": "https://app.example.com", "DEMO_CHECKOUT": "on"})
	gw.peers.Payments.Webhook = func(*paymentsv1.ReceiveWebhookRequest) (string, error) { return "PROCESSED", nil }
	gw.peers.Orders.AnswerWith(&ordersv1.Order{State: ordersv1.Order_COMPLETE}, nil)
	people := gw.admin(t)
	for _, listener := range []struct {
		name  string
		at    *running
		least int
		more  [][2]string
	}{
		{"public", gw, 12, [][2]string{
			{"GET", "/"}, {"GET", "/demo.css"}, {"GET", "/demo.js"}, {"GET", "/makegood.js"}, {"GET", "/docs"}, {"GET", "/openapi.json"},
			{"GET", "/healthz"}, {"GET", "/readyz"}, {"GET", "/welcome"}, {"GET", "/payment-issue"}, {"POST", "/payment-issue"},
		}},
		{"admin", people, 30, [][2]string{
			{"GET", "/"}, {"GET", "/sign-in"}, {"POST", "/sign-in"}, {"POST", "/sign-out"}, {"GET", "/cases/1"}, {"POST", "/cases/1/claim"}, {"GET", "/runs"},
			{"GET", "/integrity"}, {"GET", "/events"}, {"GET", "/charging"}, {"GET", "/more"}, {"POST", "/charging"}, {"GET", "/docs"}, {"GET", "/openapi.json"}, {"GET", "/healthz"}, {"GET", "/readyz"},
		}},
	} {
		calls := append(listener.at.described(t), listener.more...)
		if len(calls) < listener.least {
			t.Errorf("%s: only %d calls were found", listener.name, len(calls))
		}
		calls = append(calls, [2]string{"GET", "/nothing/here"}, [2]string{"DELETE", "/"}, [2]string{"TRACE", "/healthz"}, [2]string{"GET", "/v1/orders/%ff"}, [2]string{"OPTIONS", "/v1/orders"})
		seen := map[int]int{}
		for _, c := range calls {
			for _, body := range []string{"", "{", `{"plan_id":"annual","email":"jane@example.com"}`, strings.Repeat("x", 2<<20)} {
				if body != "" && c[0] == "GET" {
					continue
				}
				what := fmt.Sprintf("%s: %s %s with %d bytes", listener.name, c[0], c[1], len(body))
				headers := []string{"Content-Type", "application/json", "Idempotency-Key", reference}
				if listener.name == "public" {
					headers = append(headers, "Origin", "https://app.example.com")
				} else if len(body)%2 == 0 { // with and without a token
					headers = append(headers, "Authorization", "Bearer "+supportToken)
				}
				a := listener.at.do(t, c[0], c[1], body, headers...)
				seen[a.status]++
				for header, want := range map[string]string{
					"X-Content-Type-Options": "^nosniff$", "X-Frame-Options": "^DENY$", "Content-Security-Policy": "frame-ancestors 'none'",
					"Referrer-Policy": "^(no-referrer|same-origin)$", "Cache-Control": "no-store|no-cache|immutable",
					"Cross-Origin-Resource-Policy": "^(same-origin|cross-origin)$", "Cross-Origin-Opener-Policy": "^same-origin$",
				} {
					if got := strings.Join(a.header.Values(header), ", "); !regexp.MustCompile(want).MatchString(got) {
						t.Errorf("%s answers %d with %s %q", what, a.status, header, got)
					}
				}
				if csp := a.header.Get("Content-Security-Policy"); regexp.MustCompile(`script-src[^;]*'unsafe-inline'`).MatchString(csp) {
					t.Errorf("%s allows scripts in the page: %s", what, csp)
				}
				for _, header := range []string{"Server", "X-Powered-By"} {
					if got := a.header.Get(header); got != "" {
						t.Errorf("%s tells %s %q", what, header, got)
					}
				}
				if hsts := a.header.Get("Strict-Transport-Security"); (hsts != "") != (listener.name == "public") {
					t.Errorf("%s: Strict-Transport-Security %q", what, hsts)
				}
			}
		}
		t.Logf("%s: answers by status %v", listener.name, seen)
	}
}
