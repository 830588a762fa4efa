package e2e

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

const (
	cardDeclined = "pm_card_visa_chargeDeclinedInsufficientFunds"
	cardWith3DS  = "pm_card_authenticationRequired"
)

// TestPurchase is what buyers do while nothing is killed, with the times that
// the product has by default.
func TestPurchase(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *shop)
	}{
		{"a year of access", testHappyPurchase},
		{"the link in the mail", testLinkInTheMail},
		{"same key", testSameKey},
		{"bad requests leave nothing", testBadRequests},
		{"decline, then another card", testDecline},
		{"another card, old 3-D Secure", testAnotherCardWhileTabIsOpen},
		{"old 3-D Secure, then the card", testOldTabPaysFirst},
		{"3-D Secure", testAuthentication},
		{"double click", testDoubleClick},
		{"webhook before the answer", testWebhookBeforeAnswer},
		{"webhook with the answer", testWebhookWithAnswer},
		{"frightened", testFrightenedBuyer},
		{"orders is down", testEdgeWithoutOrders},
		{"roles", testRoles},
		{"typed errors", testTypedErrors},
		{"health and reflection", testHealthAndReflection},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, s) })
	}
	s.awaitDeliveries(t)
}

func testHappyPurchase(t *testing.T, s *shop) {
	s.pauseWebhooks(t, true)
	defer s.pauseWebhooks(t, false)
	b := s.buyer("Jane.Doe")
	began := time.Now()
	o := b.pays(t, card)
	t.Logf("answered after %s", time.Since(began).Round(time.Millisecond))
	if o.Status != http.StatusOK || o.Reference != b.reference || o.ReferenceShort != strings.ToUpper(b.reference[:8]) ||
		uuid.Validate(o.ID) != nil || o.Kind != "PURCHASE" || !o.fulfilled() || o.PlanID != "annual" ||
		o.AmountMinor != "24900" || o.Currency != "USD" || o.AmountDisplay != "$249.00" || o.EmailMasked != "J***@example.com" ||
		o.CreatedAt == nil || o.ChargedAt == nil || o.CompletedAt == nil || o.AccessUntil == nil ||
		o.RecoveredBy != "" || o.PaymentError != nil || o.NextAction.Type != "NONE" || o.NextAction.ClientSecret != "" {
		t.Errorf("the order is %d %s", o.Status, o.Body)
	}
	b.judgeFulfilled(t, outcome{})
	text := b.mails(t)[0].Text
	for _, fact := range []string{"$249.00", o.AccessUntil.UTC().Format("2006")} {
		if !strings.Contains(text, fact) {
			t.Errorf("the mail lacks %q:\n%s", fact, text)
		}
	}
}

func testSameKey(t *testing.T, s *shop) {
	b := s.buyer("same key")
	first := b.pays(t, card)
	b.judgeEffects(t, outcome{})
	again := b.pays(t, card)
	if !again.fulfilled() || again.ID != first.ID {
		t.Errorf("the same request again: %d %s", again.Status, again.Body)
	}
	for field, other := range map[string]any{"email": "other@example.com", "currency": "EUR", "checkout": "CLIENT"} {
		request := b.request(card)
		if request[field] = other; field == "checkout" {
			delete(request, "payment_method")
		}
		if a := b.call(t, http.MethodPost, "/v1/orders", b.key(), request); a.Status != http.StatusConflict || a.Reason != "IDEMPOTENCY_KEY_REUSED" {
			t.Errorf("another %s under the same key: %d %s", field, a.Status, a.Body)
		}
	}
	b.judgeEffects(t, outcome{})
}

// everything counts what is on record anywhere. What only reads at Stripe may come at
// any time: a sweep, a late webhook of somebody else.
func (s *shop) everything(t *testing.T) int {
	t.Helper()
	var log struct {
		Requests []struct {
			Method string `json:"method"`
		} `json:"requests"`
	}
	s.sim(t, http.MethodGet, "/_sim/requests", nil, &log)
	written := 0
	for _, r := range log.Requests {
		if r.Method != http.MethodGet {
			written++
		}
	}
	return written + s.count(t, `SELECT (SELECT count(*) FROM orders.orders) + (SELECT count(*) FROM orders.history) +
		(SELECT count(*) FROM orders.submissions) + (SELECT count(*) FROM payments.payments) + (SELECT count(*) FROM payments.customers) +
		(SELECT count(*) FROM provisioning.accounts) + (SELECT count(*) FROM notifications.messages)`)
}

func testBadRequests(t *testing.T, s *shop) {
	b := s.buyer("bad")
	with := func(field string, value any) map[string]any {
		r := b.request(card)
		if r[field] = value; value == nil {
			delete(r, field)
		}
		return r
	}
	before := s.everything(t)
	for _, c := range []struct {
		name   string
		key    map[string]string
		body   any
		status int
		reason string
	}{
		{"no key", nil, b.request(card), 400, "IDEMPOTENCY_KEY_REQUIRED"},
		{"a key that is no UUID", map[string]string{"Idempotency-Key": "order-1"}, b.request(card), 400, "IDEMPOTENCY_KEY_REQUIRED"},
		{"unknown plan", b.key(), with("plan_id", "lifetime"), 400, "INVALID_ARGUMENT"},
		{"no plan", b.key(), with("plan_id", nil), 400, "INVALID_ARGUMENT"},
		{"malformed email", b.key(), with("email", "jane at example"), 400, "INVALID_ARGUMENT"},
		{"no email", b.key(), with("email", nil), 400, "INVALID_ARGUMENT"},
		{"unknown currency", b.key(), with("currency", "CHF"), 400, "INVALID_ARGUMENT"},
		{"server checkout without a card", b.key(), map[string]any{"plan_id": "annual", "email": b.email, "checkout": "SERVER"}, 400, "INVALID_ARGUMENT"},
		{"account without a token", b.key(), with("account_id", uuid.NewString()), 400, "INVALID_ARGUMENT"},
		{"unknown field", b.key(), with("allow_repeats", true), 400, "INVALID_ARGUMENT"},
		{"no JSON", b.key(), "{", 400, "INVALID_ARGUMENT"},
		{"oversized", b.key(), with("name", strings.Repeat("x", 2<<20)), 413, ""},
	} {
		a := b.call(t, http.MethodPost, "/v1/orders", c.key, c.body)
		if a.Status != c.status || c.reason != "" && a.Reason != c.reason {
			t.Errorf("%s: %d %s, want %d %s", c.name, a.Status, a.Body, c.status, c.reason)
		}
	}
	if after := s.everything(t); after != before {
		t.Errorf("%d rows or requests to Stripe were made", after-before)
	}
	if n := len(b.atStripe(t).customers); n != 0 {
		t.Errorf("%d customers at Stripe", n)
	}
}

func testDecline(t *testing.T, s *shop) {
	b := s.buyer("declined")
	no := b.pays(t, cardDeclined)
	if no.Status != http.StatusPaymentRequired || no.State != "FAILED" || no.PaymentError == nil ||
		no.PaymentError.Message != "Your card has insufficient funds." || no.NextAction.Type != "PAY_AGAIN" {
		t.Errorf("declined: %d %s", no.Status, no.Body)
	}
	if n := len(b.mails(t)); n != 0 {
		t.Errorf("%d mails about a decline that the buyer saw", n)
	}
	yes := b.paysAgain(t, card)
	if !yes.fulfilled() || yes.ID != no.ID || yes.PaymentError != nil {
		t.Errorf("another card: %d %s", yes.Status, yes.Body)
	}
	b.judgeEffects(t, outcome{})
}

// authenticates is the buyer at the end of 3-D Secure in the browser; the
// status says whether Stripe took it.
func (b *buyer) authenticates(t *testing.T, intent string) int {
	t.Helper()
	response, err := http.Post(b.shop.StripeURL()+"/_sim/payment_intents/"+intent+"/authenticate", "application/json", strings.NewReader(`{"outcome":"success"}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// opens3DS pays with a card whose bank asks, and returns the intent.
func (b *buyer) opens3DS(t *testing.T) string {
	t.Helper()
	a := b.pays(t, cardWith3DS)
	if a.Status != http.StatusOK || a.State != "PENDING" || a.NextAction.Type != "USE_STRIPE_SDK" || a.NextAction.ClientSecret == "" {
		t.Fatalf("3-D Secure: %d %s", a.Status, a.Body)
	}
	intents := b.atStripe(t).intents
	if len(intents) != 1 || intents[0].Status != "requires_action" || !strings.HasPrefix(a.NextAction.ClientSecret, intents[0].ID) {
		t.Fatalf("Stripe has %+v", intents)
	}
	return intents[0].ID
}

func testAuthentication(t *testing.T, s *shop) {
	b := s.buyer("3ds")
	s.pauseWebhooks(t, true)
	defer s.pauseWebhooks(t, false)
	if status := b.authenticates(t, b.opens3DS(t)); status != http.StatusOK {
		t.Fatalf("authentication: %d", status)
	}
	if a := b.call(t, http.MethodPost, "/v1/orders/"+b.reference+":confirm", nil, map[string]any{}); !a.fulfilled() {
		t.Errorf("the browser is back: %d %s", a.Status, a.Body)
	}
	b.judgeFulfilled(t, outcome{})
}

func testAnotherCardWhileTabIsOpen(t *testing.T, s *shop) {
	b := s.buyer("two tabs")
	tab := b.opens3DS(t)
	if a := b.paysAgain(t, card); !a.fulfilled() {
		t.Errorf("another card: %d %s", a.Status, a.Body)
	}
	r, _ := b.judgeEffects(t, outcome{})
	// The old tab is finished all the same: there is nothing left to pay.
	if status := b.authenticates(t, tab); status != http.StatusConflict {
		t.Errorf("the old tab could still authenticate: %d", status)
	}
	if a := b.call(t, http.MethodPost, "/v1/orders/"+b.reference+":confirm", nil, map[string]any{}); a.Status != http.StatusOK || a.State != r.State {
		t.Errorf("the old tab is back: %d %s", a.Status, a.Body)
	}
	b.judgeEffects(t, outcome{})
}

// The old tab paid, and nobody has told us when the other card is submitted.
func testOldTabPaysFirst(t *testing.T, s *shop) {
	s.pauseWebhooks(t, true)
	defer s.pauseWebhooks(t, false)
	b := s.buyer("old tab first")
	if status := b.authenticates(t, b.opens3DS(t)); status != http.StatusOK {
		t.Fatalf("authentication: %d", status)
	}
	if a := b.paysAgain(t, card); !a.fulfilled() {
		t.Errorf("another card after the old tab has paid: %d %s", a.Status, a.Body)
	}
	b.judgeFulfilled(t, outcome{})
}

func testDoubleClick(t *testing.T, s *shop) {
	b := s.buyer("double click")
	var wg sync.WaitGroup
	answers := make([]answer, 20)
	for i := range answers {
		wg.Go(func() { answers[i] = b.pays(t, card) })
	}
	wg.Wait()
	for _, a := range answers {
		if a.Status != http.StatusOK && a.Status != http.StatusAccepted || a.ID != answers[0].ID {
			t.Errorf("one of the clicks got %d %s", a.Status, a.Body)
		}
	}
	b.judgeEffects(t, outcome{})
}

// testWebhookBeforeAnswer: the event overtakes the answer to the confirm.
func testWebhookBeforeAnswer(t *testing.T, s *shop) {
	b := s.buyer("webhook first")
	hold := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	answered := b.startsToPay(t, card)
	hold.reached(t)
	b.awaitAccess(t)
	hold.letGo(t, nil)
	if a := <-answered; !a.fulfilled() {
		t.Errorf("the request got %d %s", a.Status, a.Body)
	}
	s.awaitDeliveries(t)
	b.judgeFulfilled(t, outcome{recoveredBy: "webhook"})
}

// testWebhookWithAnswer: both want to make the one transition at the same moment.
func testWebhookWithAnswer(t *testing.T, s *shop) {
	b := s.buyer("webhook with answer")
	confirm := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	transition := write("UPDATE", "orders.orders", toCharged)(t, s)
	answered := b.startsToPay(t, card)
	confirm.reached(t)
	transition.reached(t) // the webhook's
	confirm.letGo(t, nil)
	await(t, "the request to wait for the webhook", func() bool {
		return s.count(t, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'orders' AND wait_event_type = 'Lock'") >= 2
	})
	transition.letGo(t, nil)
	if a := <-answered; !a.fulfilled() {
		t.Errorf("the request got %d %s", a.Status, a.Body)
	}
	s.awaitDeliveries(t)
	r, _ := b.judgeEffects(t, outcome{})
	if !slices.Contains([]string{"", "webhook"}, r.RecoveredBy) {
		t.Errorf("the order is %s, recovered by %q", r.State, r.RecoveredBy)
	}
}

func testFrightenedBuyer(t *testing.T, s *shop) {
	b := s.buyer("frightened")
	b.pays(t, card)
	b.judgeEffects(t, outcome{})
	again := &buyer{shop: s, email: strings.ToUpper(b.email), reference: uuid.NewString()}
	if a := again.pays(t, card); a.Status != http.StatusConflict || a.Reason != "DUPLICATE_PURCHASE" {
		t.Errorf("the same purchase from another browser: %d %s", a.Status, a.Body)
	}
	// They are told by mail, about the order that stands.
	if m := b.awaitMail(t, "repeat_refused"); !strings.Contains(m.Text, strings.ToUpper(b.reference[:8])) || m.Headers["X-Makegood-Order"] != b.record(t).ID {
		t.Errorf("told:\n%s", m.Text)
	}
	if got := slices.Sorted(slices.Values(b.told(t))); !slices.Equal(got, []string{tells(b.record(t).State), "repeat_refused"}) {
		t.Errorf("mails: %v", got)
	}
	if has := b.atStripe(t); len(has.charges) != 1 {
		t.Errorf("Stripe has charges %+v", has.charges)
	}
}
