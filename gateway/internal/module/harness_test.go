package module_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"makegood.example/gateway/internal/module"
	"makegood.example/gateway/internal/pages"
	"makegood.example/services/platform/browsertest"
)

// refundDays stands for the setting.
const refundDays = "a week"

// checkoutPage is a shop's own page. Its Stripe.js is a stub that the tests tell
// what the bank says.
const checkoutPage = `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Shop</title>
<form id="buy"><label>Email <input name="email" value="jane@example.com"></label><label>Name <input name="name" value="Jane Doe"></label>
<button>Pay</button><div data-makegood="message"></div></form><div id="status"></div>
<script>
window.calls = [];
window.bank = { intent: "requires_action", error: undefined };
window.stripe = {
  createPaymentMethod: async (p) => { calls.push("createPaymentMethod"); return bank.cardError ? { error: bank.cardError } : { paymentMethod: { id: "pm_" + calls.length } }; },
  retrievePaymentIntent: async () => ({ paymentIntent: { status: bank.intent } }),
  handleNextAction: async () => { calls.push("handleNextAction"); return { error: bank.error }; },
  confirmCardPayment: async () => { calls.push("confirmCardPayment"); return { error: bank.error }; },
};
</script>
%s`

const withModule = `<script type="module">
import { createCheckout } from "/makegood.js";
window.checkout = createCheckout({ plan: "annual", stripe, card: {}, form: document.getElementById("buy"), status: document.getElementById("status"), ...window.settings });
</script>`

// edge is a stand-in of the edge that says what a test wants.
type edge struct {
	*httptest.Server
	t *testing.T
	// takes are the fields of each call's body, by the edge's OpenAPI document.
	takes map[string]map[string]schema

	mu sync.Mutex
	// answer says what a call of /v1/orders… gets; body is its JSON.
	answer func(w http.ResponseWriter, call string, r *http.Request)
	calls  []string
	bodies []map[string]any
	keys   []string
	page   string
}

func startEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{t: t, page: fmt.Sprintf(checkoutPage, withModule), takes: map[string]map[string]schema{}}
	all := schemas(t)
	for call, name := range map[string]string{
		"POST": "orders.v1.PlaceOrderRequest", "POST pay": "orders.v1.OrdersService.PayOrderBody", "POST confirm": "orders.v1.OrdersService.ConfirmOrderBody",
	} {
		body, ok := all[name]
		if !ok {
			t.Fatalf("the contract has no %s", name)
		}
		e.takes[call] = body.Properties
	}
	scripts, err := module.Scripts(pages.Catalogue(), refundDays)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, s := range scripts {
		mux.Handle("GET "+s.Path, s.Handler())
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, e.page)
	})
	mux.HandleFunc("GET /v1/config", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"publishable_key":"pk_test_x","support_email":"help@example.com","app_name":"Shop"}`)
	})
	mux.HandleFunc("/v1/orders", e.orders)
	mux.HandleFunc("/v1/orders/", e.orders)
	e.Server = httptest.NewServer(mux)
	t.Cleanup(e.Close)
	return e
}

func (e *edge) orders(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/events") {
		http.Error(w, "no streams here", http.StatusServiceUnavailable) // so the module polls
		return
	}
	raw, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	call := r.Method
	if _, verb, ok := strings.Cut(r.URL.Path, ":"); ok {
		call += " " + verb
	}
	e.calls = append(e.calls, call)
	var body map[string]any
	_ = json.Unmarshal(raw, &body)
	for field := range body {
		if _, ok := e.takes[call][field]; !ok {
			e.t.Errorf("%s was sent with %s, which the edge refuses", call, field)
		}
	}
	e.bodies = append(e.bodies, body)
	if r.Method == http.MethodPost && call == "POST" {
		e.keys = append(e.keys, r.Header.Get("Idempotency-Key"))
	}
	answer := e.answer
	e.mu.Unlock()
	answer(w, call, r)
}

// says sets what the edge answers from now on.
func (e *edge) says(answer func(w http.ResponseWriter, call string, r *http.Request)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

// sent counts the calls of one kind, such as "POST pay".
func (e *edge) sent(call string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.calls {
		if c == call {
			n++
		}
	}
	return n
}

func (e *edge) references() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string{}, e.keys...)
}

// last is the JSON of the last call of that kind.
func (e *edge) last(call string) map[string]any {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := len(e.calls) - 1; i >= 0; i-- {
		if e.calls[i] == call {
			return e.bodies[i]
		}
	}
	return nil
}

// order writes an order in this state; the reference is the request's.
func order(w http.ResponseWriter, r *http.Request, status int, state, action, more string) {
	reference := r.Header.Get("Idempotency-Key")
	if reference == "" {
		reference, _, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/orders/"), ":")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"id":"i","reference":%q,"kind":"PURCHASE","state":%q,"plan_id":"annual","amount_display":"$249.00","email_masked":"j***@example.com",
		"charged_at":null,"access_until":null,"next_action":{"type":%q,"client_secret":"pi_1_secret_2","url":"","by":null},"promise":null,"refund_asked_at":null%s}`,
		reference, state, action, more)
}

// refuse writes the edge's error.
func refuse(w http.ResponseWriter, status int, reason, more string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"code":9,"message":"in words","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":%q,"domain":"makegood"}%s]}`, reason, more)
}

func complete(w http.ResponseWriter, _ string, r *http.Request) {
	order(w, r, http.StatusOK, "COMPLETE", "NONE", "")
}

// shop opens the page and waits until it is ready.
func (e *edge) shop(b *browsertest.Browser) *browsertest.Page {
	p := b.Open(browsertest.View{})
	e.visit(p)
	return p
}

func (e *edge) visit(p *browsertest.Page) {
	p.Go(e.URL + "/")
	p.Await("window.checkout && checkout.ready.then(() => true)")
}

const phase = "checkout.state.phase + ' ' + checkout.state.situation"

func awaitState(p *browsertest.Page, want string) {
	p.Await(phase + " === '" + want + "'")
}
