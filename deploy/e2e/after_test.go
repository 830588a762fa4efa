package e2e

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestAfterThePayment is what can happen to a payment besides the straight way:
// pages of Stripe's, banks that take days, money that goes back.
func TestAfterThePayment(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *shop)
	}{
		{"a page of Stripe's", testHostedPage},
		{"an abandoned page", testHostedPageStaysOpen},
		{"the browser confirms", testBrowserConfirms},
		{"a refund in the dashboard", testRefundInTheDashboard},
		{"a part of it back", testPartialRefund},
		{"a dispute that is lost", testLostDispute},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, s) })
	}
	s.awaitDeliveries(t)
}

// goesToStripesPage orders without a card and is sent to a page of Stripe's.
func (b *buyer) goesToStripesPage(t *testing.T) (session string) {
	t.Helper()
	request := b.request("")
	delete(request, "payment_method")
	request["checkout"] = "HOSTED"
	a := b.call(t, http.MethodPost, "/v1/orders", b.key(), request)
	if a.Status != http.StatusOK || a.State != "PENDING" || a.NextAction.Type != "REDIRECT" || a.NextAction.URL == "" {
		t.Fatalf("hosted: %d %s", a.Status, a.Body)
	}
	return a.NextAction.URL[strings.LastIndex(a.NextAction.URL, "/")+1:]
}

func testHostedPage(t *testing.T, s *shop) {
	b := s.buyer("hosted")
	session := b.goesToStripesPage(t)
	s.sim(t, http.MethodPost, "/_sim/checkout/"+session+"/complete", map[string]any{"payment_method": card}, nil)
	// The browser never comes back: the webhook is enough.
	b.awaitAccess(t)
	b.judgeEffects(t, outcome{})
}

func testHostedPageStaysOpen(t *testing.T, s *shop) {
	b := s.buyer("hosted and left")
	b.goesToStripesPage(t)
	if a := b.looks(t); a.State != "PENDING" || a.NextAction.Type != "REDIRECT" {
		t.Errorf("looks like %s", a.Body)
	}
	if has := b.atStripe(t); len(has.charges) != 0 {
		t.Errorf("charged %v", has.charges)
	}
}

func testBrowserConfirms(t *testing.T, s *shop) {
	b := s.buyer("client")
	request := b.request("")
	delete(request, "payment_method")
	a := b.call(t, http.MethodPost, "/v1/orders", b.key(), request)
	secret := a.NextAction.ClientSecret
	if a.Status != http.StatusOK || a.NextAction.Type != "USE_STRIPE_SDK" || secret == "" {
		t.Fatalf("client: %d %s", a.Status, a.Body)
	}
	// What Stripe.js does with the publishable key.
	intent, _, _ := strings.Cut(secret, "_secret_")
	form := url.Values{"client_secret": {secret}, "payment_method": {"pm_card_visa"}, "key": {"pk_test_makegood"}}
	response, err := http.PostForm(s.StripeURL()+"/v1/payment_intents/"+intent+"/confirm", form)
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	_, _ = body.ReadFrom(response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("Stripe.js: %d %s", response.StatusCode, body.String())
	}
	if a := b.call(t, http.MethodPost, "/v1/orders/"+b.reference+":confirm", nil, map[string]any{}); !a.fulfilled() {
		t.Errorf("the browser is back: %d %s", a.Status, a.Body)
	}
	b.judgeEffects(t, outcome{})
}

// refundAtStripe is somebody at Stripe's dashboard.
func (s *shop) refundAtStripe(t *testing.T, charge, amount string) {
	t.Helper()
	form := url.Values{"charge": {charge}}
	if amount != "" {
		form.Set("amount", amount)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.StripeURL()+"/v1/refunds", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "Bearer sk_test_makegood")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the refund at Stripe: %d", response.StatusCode)
	}
}

// awaitMail waits for a mail of one of the kinds.
func (b *buyer) awaitMail(t *testing.T, kinds ...string) mail {
	t.Helper()
	var found mail
	await(t, "a mail of the kind "+strings.Join(kinds, " or "), func() bool {
		for _, m := range b.mails(t) {
			if slices.Contains(kinds, m.kind()) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

func testRefundInTheDashboard(t *testing.T, s *shop) {
	b := s.buyer("refunded")
	b.pays(t, card)
	b.awaitAccess(t)
	s.refundAtStripe(t, b.atStripe(t).charges[0].ID, "")
	r := b.awaitRest(t, "REFUNDED")
	if n := s.count(t, "SELECT count(*) FROM provisioning.grants WHERE order_id = $1 AND revoked_at IS NULL", r.ID); n != 0 {
		t.Errorf("%d grants are left", n)
	}
	if m := b.awaitMail(t, "refund"); !strings.Contains(m.Text, "$249.00") || !strings.Contains(m.Text, "Refund reference: re_") {
		t.Errorf("told:\n%s", m.Text)
	}
	if n := len(b.mails(t)); n != 2 {
		t.Errorf("%d mails", n)
	}
	if a := b.looks(t); a.State != "REFUNDED" || a.NextAction.Type != "NONE" {
		t.Errorf("looks like %s", a.Body)
	}
}

func testPartialRefund(t *testing.T, s *shop) {
	b := s.buyer("partly refunded")
	b.pays(t, card)
	r := b.awaitAccess(t)
	s.refundAtStripe(t, b.atStripe(t).charges[0].ID, "5000")
	if m := b.awaitMail(t, "refund"); !strings.Contains(m.Text, "$50.00 of your payment of $249.00") || !strings.Contains(m.Text, "Refund reference: re_") {
		t.Errorf("told:\n%s", m.Text)
	}
	if n := s.count(t, "SELECT count(*) FROM provisioning.grants WHERE order_id = $1 AND revoked_at IS NULL", r.ID); n != 1 {
		t.Errorf("%d grants, want the one", n)
	}
}

func testLostDispute(t *testing.T, s *shop) {
	b := s.buyer("disputed")
	b.pays(t, card)
	r := b.awaitAccess(t)
	active := func() int {
		return s.count(t, "SELECT count(*) FROM provisioning.grants WHERE order_id = $1 AND revoked_at IS NULL", r.ID)
	}
	var dispute struct{ ID string }
	s.sim(t, http.MethodPost, "/_sim/charges/"+b.atStripe(t).charges[0].ID+"/dispute", map[string]any{"reason": "fraudulent"}, &dispute)
	await(t, "the case", func() bool {
		return s.count(t, "SELECT count(*) FROM reconciliation.cases WHERE kind = 'DISPUTE' AND subject = $1", "order/"+r.ID) == 1
	})
	if active() != 1 {
		t.Error("an open dispute took the access")
	}
	s.sim(t, http.MethodPost, "/_sim/disputes/"+dispute.ID+"/close", map[string]any{"outcome": "lost"}, nil)
	await(t, "the access to be withdrawn", func() bool { return active() == 0 })
}
