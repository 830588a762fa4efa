package module_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"makegood.example/gateway/internal/module"
	"makegood.example/gateway/internal/pages"
	"makegood.example/services/platform/browsertest"
)

func TestServing(t *testing.T) {
	scripts, err := module.Scripts(pages.Catalogue(), refundDays)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scripts {
		get := func(etag string) *httptest.ResponseRecorder {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, s.Path, nil)
			r.Header.Set("If-None-Match", etag)
			s.Handler().ServeHTTP(w, r)
			return w
		}
		w := get("")
		if w.Code != 200 || w.Body.Len() == 0 || w.Header().Get("Content-Type") != s.ContentType || w.Header().Get("X-Content-Type-Options") != "nosniff" ||
			w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", s.Path, w.Code, w.Header())
		}
		if again := get(w.Header().Get("Etag")); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s asked again: %d", s.Path, again.Code)
		}
	}
}

// TestInABrowser runs what makegood.js does, in one browser for all, against an
// edge that says what each test wants.
func TestInABrowser(t *testing.T) {
	b := browsertest.Start(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *browsertest.Browser)
	}{
		{"types", testTypes},
		{"purchase", testPurchase},
		{"decline then another card", testDeclineThenAnotherCard},
		{"unknown", testUnknown},
		{"never arrived", testNeverArrived},
		{"refusals", testRefusals},
		{"other details", testOtherDetails},
		{"authentication", testAuthentication},
		{"storage denied", testStorageDenied},
		{"two tabs", testTwoTabs},
		{"same words", testSameWords},
		{"named times", testNamedTimes},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, b.For(t)) })
	}
}

func testPurchase(t *testing.T, b *browsertest.Browser) {
	e := startEdge(t)
	clicked := make(chan struct{})
	e.says(func(w http.ResponseWriter, call string, r *http.Request) {
		<-clicked
		complete(w, call, r)
	})
	p := e.shop(b)
	p.DoubleClick("#buy button")
	p.Press("\r")
	p.Eval("document.getElementById('buy').requestSubmit()", nil)
	close(clicked)
	awaitState(p, "done ready")
	var cards int
	if p.Eval("calls.length", &cards); cards != 1 || e.sent("POST") != 1 {
		t.Errorf("two clicks, Enter and a script sent %d orders, with %d cards", e.sent("POST"), cards)
	}
	body := e.last("POST")
	if body["plan_id"] != "annual" || body["email"] != "jane@example.com" || body["name"] != "Jane Doe" || body["checkout"] != "SERVER" || body["payment_method"] != "pm_1" {
		t.Errorf("sent %v", body)
	}
	refs := e.references()
	if uuid.Validate(refs[0]) != nil {
		t.Errorf("the reference is %q", refs[0])
	}
	var stored string
	p.Eval("JSON.stringify(localStorage)", &stored)
	if strings.Contains(stored, "jane") || strings.Contains(stored, "Jane") || strings.Contains(stored, "pm_") || !strings.Contains(stored, refs[0]) {
		t.Errorf("kept: %s", stored)
	}
	p.AwaitText("section", strings.ToUpper(refs[0][:8]))
	if mail := p.Text("section .help a"); mail != "help@example.com" {
		t.Errorf("written to %q", mail)
	}
	p.Picture("module/ready")
	e.visit(p) // a reload shows the result, and sells nothing
	awaitState(p, "done ready")
	p.Eval("checkout.startNew()", nil)
	p.Click("#buy button")
	awaitState(p, "done ready")
	if refs := e.references(); len(refs) != 2 || refs[0] == refs[1] {
		t.Errorf("the next purchase has the references %v", refs)
	}
	if problems := p.Problems(); len(problems) > 0 {
		t.Errorf("%q", problems)
	}
}

func testDeclineThenAnotherCard(t *testing.T, b *browsertest.Browser) {
	e := startEdge(t)
	declined := func(w http.ResponseWriter, call string, r *http.Request) {
		status := http.StatusPaymentRequired
		if call == "GET" {
			status = http.StatusOK
		}
		order(w, r, status, "FAILED", "PAY_AGAIN", `,"payment_error":{"code":"card_declined","message":"Your card has insufficient funds."}`)
	}
	e.says(declined)
	p := e.shop(b)
	p.Click("#buy button")
	awaitState(p, "open declined")
	p.AwaitText("#buy [role=alert]", "Your card has insufficient funds.")
	e.visit(p)
	awaitState(p, "open declined")
	e.says(func(w http.ResponseWriter, call string, r *http.Request) {
		if call == "POST pay" {
			complete(w, call, r)
			return
		}
		declined(w, call, r)
	})
	p.Click("#buy button")
	awaitState(p, "done ready")
	refs := e.references()
	if len(refs) != 2 || refs[0] != refs[1] || e.sent("POST pay") != 1 {
		t.Errorf("references %v, %d payments", refs, e.sent("POST pay"))
	}
	if pay := e.last("POST pay"); uuid.Validate(fmt.Sprint(pay["attempt_id"])) != nil || pay["payment_method"] != "pm_1" {
		t.Errorf("paid with %v", pay)
	}
}

// testUnknown: whatever does not say how it ended is asked for, never called
// failed, and sent again only exactly as it was.
func testUnknown(t *testing.T, b *browsertest.Browser) {
	e := startEdge(t)
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"no JSON":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<h1>502 Bad Gateway</h1>") },
		"a 502":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<h1>502</h1>", http.StatusBadGateway) },
		"truncated": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"id":"i","refer`) },
		"half an end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "500")
			fmt.Fprint(w, `{"id":`)
		},
		"another's": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"hello":"world"}`) },
		"503":       func(w http.ResponseWriter, _ *http.Request) { refuse(w, 503, "SERVICE_UNAVAILABLE", "") },
		"500":       func(w http.ResponseWriter, _ *http.Request) { refuse(w, 500, "INTERNAL", "") },
		"reset":     func(_ http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			known := false
			before := len(e.references())
			e.says(func(w http.ResponseWriter, call string, r *http.Request) {
				switch {
				case call == "POST":
					answer(w, r)
				case known:
					complete(w, call, r)
				default:
					refuse(w, 503, "SERVICE_UNAVAILABLE", "")
				}
			})
			p := e.shop(b.For(t))
			p.Click("#buy button")
			awaitState(p, "following unreachable")
			if text := p.Text("section"); strings.Contains(strings.ToLower(text), "failed") || !strings.Contains(text, "help@example.com") ||
				!strings.Contains(text, strings.ToUpper(e.references()[before][:8])) {
				t.Errorf("the page says %q", text)
			}
			if name == "reset" {
				p.Picture("module/unreachable")
			}
			e.mu.Lock()
			known = true
			e.mu.Unlock()
			awaitState(p, "done ready")
			// A browser may itself repeat what a reset connection took; never under another key.
			if refs := slices.Compact(e.references()[before:]); len(refs) != 1 {
				t.Errorf("sent as %v", refs)
			}
			p.Eval("checkout.close()", nil)
		})
	}
}

// testNeverArrived: the request was lost before anybody wrote it down, so the
// same one is sent again.
func testNeverArrived(t *testing.T, b *browsertest.Browser) {
	e := startEdge(t)
	var lost int
	e.says(func(w http.ResponseWriter, call string, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		switch {
		case call == "GET":
			refuse(w, 404, "ORDER_NOT_FOUND", "")
		case lost < 2:
			lost++
			panic(http.ErrAbortHandler)
		default:
			complete(w, call, r)
		}
	})
	p := e.shop(b)
	p.Click("#buy button")
	awaitState(p, "done ready")
	refs := e.references()
	if len(refs) != 3 || refs[0] != refs[1] || refs[1] != refs[2] {
		t.Errorf("sent as %v", refs)
	}
	if body := e.last("POST"); body["payment_method"] != "pm_1" {
		t.Errorf("the repeat was %v", body)
	}
}

func testRefusals(t *testing.T, b *browsertest.Browser) {
	e := startEdge(t)
	for _, c := range []struct {
		name, state, says string
		status            int
		reason, more      string
	}{
		{"paid a moment ago", "open duplicate", "Buy a second one", 409, "DUPLICATE_PURCHASE", ""},
		{"paused", "open paused", "Nothing was charged", 503, "CHARGES_PAUSED", ""},
		{"too many", "open too_many", "wait a while", 429, "TOO_MANY_ATTEMPTS", ""},
		{"a field", "open invalid", "Email: is not an address", 400, "INVALID_ARGUMENT",
			`,{"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":[{"field":"email","description":"is not an address"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			e.says(func(w http.ResponseWriter, _ string, _ *http.Request) { refuse(w, c.status, c.reason, c.more) })
			p := e.shop(b.For(t))
			p.Click("#buy button")
			awaitState(p, c.state)
			p.AwaitText("#buy [role=alert]", c.says)
			p.Picture("module/" + strings.ReplaceAll(c.state, " ", "-"))
			if c.more != "" {
				p.Await(`document.querySelector("[name=email]").getAttribute("aria-invalid") === "true" && document.activeElement.name === "email"`)
			}
			e.visit(p) // nothing is there to be asked for
			awaitState(p, "open undefined")
			e.says(complete)
			if c.reason == "DUPLICATE_PURCHASE" {
				e.says(func(w http.ResponseWriter, call string, r *http.Request) {
					if e.last("POST")["allow_repeat"] == true {
						complete(w, call, r)
						return
					}
					refuse(w, c.status, c.reason, "")
				})
				p.Click("#buy button:not([type])")
				p.Click("#buy [role=alert] button")
			} else {
				p.Click("#buy button")
			}
			awaitState(p, "done ready")
		})
	}
}

// testOtherDetails: the reference belongs to an order of another address.
func testOtherDetails(t *testing.T, b *browsertest.Browser) {
	e := startEdge(t)
	for state, want := range map[string]string{"FAILED": "done ready", "COMPLETE": "done ready", "CHARGED": "following setting_up"} {
		t.Run(state, func(t *testing.T) {
			before := len(e.references())
			e.says(func(w http.ResponseWriter, call string, r *http.Request) {
				switch refs := e.references()[before:]; {
				case call == "POST" && len(refs) == 1:
					refuse(w, 409, "IDEMPOTENCY_KEY_REUSED", "")
				case call == "GET":
					order(w, r, 200, state, map[string]string{"CHARGED": "WAIT"}[state]+"", "")
				default:
					complete(w, call, r)
				}
			})
			p := e.shop(b.For(t))
			p.Click("#buy button")
			awaitState(p, want)
			refs := e.references()[before:]
			if state == "FAILED" && (len(refs) != 2 || refs[0] == refs[1]) || state != "FAILED" && len(refs) != 1 {
				t.Errorf("references %v", refs)
			}
			p.Eval("checkout.close()", nil)
		})
	}
}

func testAuthentication(t *testing.T, b *browsertest.Browser) {
	e := startEdge(t)
	waits := func(w http.ResponseWriter, _ string, r *http.Request) {
		order(w, r, 200, "PENDING", "USE_STRIPE_SDK", "")
	}
	confirmed := func(w http.ResponseWriter, call string, r *http.Request) {
		if call == "POST confirm" {
			complete(w, call, r)
			return
		}
		waits(w, call, r)
	}
	t.Run("server", func(t *testing.T) {
		e.says(confirmed)
		p := e.shop(b.For(t))
		p.Click("#buy button")
		awaitState(p, "done ready")
		p.Await("calls.join() === 'createPaymentMethod,handleNextAction'")
	})
	t.Run("client", func(t *testing.T) {
		e.says(waits)
		e.page = strings.Replace(e.page, "window.calls = []", `window.settings = { checkout: "CLIENT" }; window.calls = []`, 1)
		defer func() { e.page = fmt.Sprintf(checkoutPage, withModule) }()
		p := e.shop(b.For(t))
		p.Eval(`bank.intent = "requires_payment_method", bank.error = { type: "card_error", message: "Your card was declined." }`, nil)
		p.Click("#buy button")
		awaitState(p, "open card_problem")
		p.AwaitText("#buy [role=alert]", "Your card was declined.")
		e.says(confirmed)
		p.Eval("bank.error = undefined", nil)
		p.Click("#buy button")
		awaitState(p, "done ready")
		p.Await("calls.join() === 'confirmCardPayment,confirmCardPayment'")
	})
	t.Run("after a reload", func(t *testing.T) {
		e.says(waits)
		p := e.shop(b.For(t))
		p.Eval("stripe.handleNextAction = () => new Promise(() => {})", nil)
		p.Click("#buy button")
		awaitState(p, "busy authenticating")
		e.visit(p)
		awaitState(p, "act authenticate")
		p.Await("calls.length === 0") // nothing opens by itself
		p.Picture("module/authenticate")
		e.says(confirmed)
		p.Click("section .actions button")
		awaitState(p, "done ready")
	})
	t.Run("confirmed, then a reload", func(t *testing.T) {
		e.says(waits)
		p := e.shop(b.For(t))
		p.Eval("stripe.handleNextAction = () => new Promise(() => {})", nil)
		p.Click("#buy button")
		awaitState(p, "busy authenticating")
		e.says(confirmed) // the bank has its confirmation, and the edge has not heard of it
		e.visit(p)
		awaitState(p, "done ready")
	})
	t.Run("no definite word", func(t *testing.T) {
		e.says(waits)
		p := e.shop(b.For(t))
		p.Eval(`bank.error = { type: "api_connection_error", message: "no connection" }`, nil)
		p.Click("#buy button")
		awaitState(p, "act authenticate") // not "nothing was charged"
	})
	t.Run("another card", func(t *testing.T) {
		e.says(waits)
		p := e.shop(b.For(t))
		p.Eval(`bank.error = { type: "invalid_request_error", message: "We could not authenticate you." }`, nil)
		p.Click("#buy button")
		awaitState(p, "open card_problem")
		e.says(func(w http.ResponseWriter, call string, r *http.Request) {
			if call == "POST pay" {
				complete(w, call, r)
				return
			}
			waits(w, call, r)
		})
		p.Click("#buy button")
		awaitState(p, "done ready")
	})
}

// testStorageDenied: the reference is kept for as long as the page lives.
func testStorageDenied(t *testing.T, b *browsertest.Browser) {
	e := startEdge(t)
	e.page = strings.Replace(e.page, "window.calls = []", `Object.defineProperty(window, "localStorage", { get() { throw new DOMException("denied", "SecurityError"); } });
		crypto.randomUUID = undefined; Object.defineProperty(navigator, "locks", { value: undefined }); window.calls = []`, 1)
	e.says(func(w http.ResponseWriter, _ string, r *http.Request) {
		order(w, r, http.StatusPaymentRequired, "FAILED", "PAY_AGAIN", "")
	})
	p := e.shop(b)
	p.Click("#buy button")
	awaitState(p, "open declined")
	p.Click("#buy button")
	p.Await("calls.length === 2")
	awaitState(p, "open declined")
	refs := e.references()
	if len(refs) != 2 || refs[0] != refs[1] || uuid.Validate(refs[0]) != nil {
		t.Errorf("references %v", refs)
	}
}

func testTwoTabs(t *testing.T, b *browsertest.Browser) {
	e := startEdge(t)
	reply := make(chan struct{})
	e.says(func(w http.ResponseWriter, call string, r *http.Request) {
		if call == "POST" {
			<-reply
			complete(w, call, r)
			return
		}
		order(w, r, 200, "PENDING", "WAIT", "")
	})
	first := e.shop(b)
	second := first.Tab()
	e.visit(second)
	first.Click("#buy button")
	awaitState(second, "following checking")
	second.Eval("checkout.submit({ email: 'jane@example.com' })", nil)
	e.says(complete)
	close(reply)
	awaitState(first, "done ready")
	awaitState(second, "done ready")
	if n := e.sent("POST"); n != 1 {
		t.Errorf("two tabs sent %d orders", n)
	}
}
