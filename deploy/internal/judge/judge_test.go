package judge_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"makegood.example/deploy/internal/judge"
	"makegood.example/deploy/internal/oneprocess"
	"makegood.example/deploy/internal/stack"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, stack.Schemas...) }

func sources(w *oneprocess.World) judge.Sources {
	return judge.Sources{DB: w.DB, StripeURL: w.Stripe.URL, InboxURL: w.MailURL(), AppID: "makegood"}
}

func judged(t *testing.T, w *oneprocess.World) []judge.Finding {
	t.Helper()
	findings, err := judge.Judge(t.Context(), sources(w))
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// clean fails the test when the judge finds anything.
func clean(t *testing.T, w *oneprocess.World, after string) {
	t.Helper()
	for _, f := range judged(t, w) {
		t.Errorf("after %s: %s", after, f)
	}
}

// charged is the one charge of somebody at Stripe.
func charged(t *testing.T, w *oneprocess.World, email string) string {
	t.Helper()
	customers := w.Stripe.Customers(email)
	if len(customers) != 1 {
		t.Fatalf("customers of %s: %v", email, customers)
	}
	charges := w.Stripe.Charges(customers[0])
	if len(charges) != 1 {
		t.Fatalf("charges of %s: %v", email, charges)
	}
	return charges[0].ID
}

// pay makes and confirms a payment intent at Stripe, by no hand of the product's.
func pay(w *oneprocess.World, metadata map[string]string, customer string) (chargeID string) {
	form := url.Values{"amount": {"24900"}, "currency": {"usd"}, "payment_method": {"pm_card_visa"}, "payment_method_types[]": {"card"}, "confirm": {"true"}}
	for k, v := range metadata {
		form.Set("metadata["+k+"]", v)
	}
	if customer != "" {
		form.Set("customer", customer)
	}
	var intent struct {
		LatestCharge string `json:"latest_charge"`
	}
	w.Stripe.Post("/v1/payment_intents", form, &intent)
	return intent.LatestCharge
}

// TestAnHonestHistoryIsClean: nothing that the product does rightly is a violation.
func TestAnHonestHistoryIsClean(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{Settings: map[string]string{"CHECKOUT_PROMOTION_CODES": "on"}})
	clean(t, w, "nothing")

	jane := w.Buyer("jane")
	jane.Buys("annual", "pm_card_visa")
	w.Settle()
	clean(t, w, "a purchase")

	pay(w, nil, "")
	w.Settle()
	clean(t, w, "another product's charge")

	w.Stripe.Post("/v1/refunds", url.Values{"charge": {charged(t, w, jane.Email)}}, nil)
	w.Advance(time.Hour, nil)
	clean(t, w, "a refund")

	sam := w.Buyer("sam")
	sam.Buys("annual", "pm_card_visa")
	w.Stripe.Post("/v1/refunds", url.Values{"charge": {charged(t, w, sam.Email)}, "amount": {"5000"}}, nil)
	w.Advance(time.Hour, nil)
	clean(t, w, "a part of it back")

	ray := w.Buyer("ray")
	ray.PaysWith(ray.Orders("annual", "HOSTED").NextAction.URL, "pm_card_visa", "SAVE100")
	w.Advance(time.Hour, nil)
	if n := number(t, w, "SELECT count(*) FROM orders.orders WHERE charge_id IS NULL AND state IN ('COMPLETE', 'RECOVERED')"); n != 1 {
		t.Errorf("%d orders with nothing to pay", n)
	}
	clean(t, w, "an order with nothing to pay")

	kim := w.Buyer("kim")
	kim.Buys("annual", "pm_card_visa")
	var dispute struct{ ID string }
	w.Stripe.Control("/_sim/charges/"+charged(t, w, kim.Email)+"/dispute", map[string]string{"reason": "fraudulent"}, &dispute)
	w.Advance(time.Hour, nil)
	clean(t, w, "an open dispute")
	w.Stripe.Control("/_sim/disputes/"+dispute.ID+"/close", map[string]string{"outcome": "lost"}, nil)
	w.Advance(time.Hour, nil)
	clean(t, w, "a lost dispute")

	alex := w.Buyer("alex")
	alex.Subscribes("annual-subscription", "pm_card_visa")
	w.Settle()
	clean(t, w, "a subscription")
	w.Advance(367*24*time.Hour, nil)
	if n := number(t, w, "SELECT count(*) FROM orders.orders WHERE kind = 'RENEWAL' AND state = 'COMPLETE'"); n != 1 {
		t.Fatalf("%d renewals", n)
	}
	clean(t, w, "a renewal")
}

func number(t *testing.T, w *oneprocess.World, sql string, args ...any) (n int) {
	t.Helper()
	if err := w.DB.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// planted is a world in which one thing after another is made wrong. Webhooks are
// lost, so that nothing is mended by itself.
type planted struct {
	*oneprocess.World
	t     *testing.T
	known []judge.Finding
	names int
}

// buys is somebody new who paid and has what was paid for.
func (p *planted) buys() (b *oneprocess.Buyer, order, chargeID string) {
	p.t.Helper()
	p.names++
	b = p.Buyer("buyer-" + string(rune('a'+p.names)))
	o := b.Buys("annual", "pm_card_visa")
	p.Settle()
	return b, o.ID, charged(p.t, p.World, b.Email)
}

func (p *planted) sql(sql string, args ...any) {
	p.t.Helper()
	if _, err := p.DB.Exec(p.t.Context(), sql, args...); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
}

// finds fails unless exactly this is newly found: rules and what they are about.
// That the sums differ, too, is another rule's test.
func (p *planted) finds(what string, want ...judge.Finding) {
	p.t.Helper()
	now := judged(p.t, p.World)
	same := func(a judge.Finding) func(judge.Finding) bool {
		return func(b judge.Finding) bool { return a.Rule == b.Rule && a.Subject == b.Subject }
	}
	for _, f := range now {
		if f.Rule != judge.SumsDiffer && !slices.ContainsFunc(p.known, same(f)) && !slices.ContainsFunc(want, same(f)) {
			p.t.Errorf("%s: unexpected %s", what, f)
		}
	}
	for _, f := range want {
		if !slices.ContainsFunc(now, same(f)) {
			p.t.Errorf("%s: not found: %s %s", what, f.Rule, f.Subject)
		}
		if slices.ContainsFunc(p.known, same(f)) {
			p.t.Errorf("%s: known before: %s %s", what, f.Rule, f.Subject)
		}
	}
	p.known = now
}

func is(rule judge.Rule, subject string) judge.Finding {
	return judge.Finding{Rule: rule, Subject: subject}
}

func plant(t *testing.T) *planted {
	t.Helper()
	p := &planted{World: oneprocess.New(t, oneprocess.Options{Post: oneprocess.Silent}), t: t}
	p.buys()
	p.finds("an honest purchase")
	return p
}

// endpoint has Stripe deliver to something that says yes to everything.
func (p *planted) endpoint() {
	yes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	p.t.Cleanup(yes.Close)
	p.Stripe.Control("/_sim/webhooks", map[string]any{"endpoints": []map[string]string{{"url": yes.URL, "secret": "whsec_x"}}}, nil)
}
