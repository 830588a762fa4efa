package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestTheLoopIsClosed: without any webhook or look, the sweep alone says what
// every charge is, leaves foreign money alone, rebuilds what a restored backup
// lost, sees a refund made at Stripe, and its report adds up.
func TestTheLoopIsClosed(t *testing.T) {
	t.Parallel()
	s := open(t, "RESCUE_AFTER=off", "RECONCILE_EVERY=1s", "STUCK_AFTER=1h", "APOLOGY_AFTER=1s")
	s.pauseWebhooks(t, true)
	is := func(charge, kind string) {
		t.Helper()
		await(t, "charge "+charge+" to be "+kind, func() bool {
			return s.count(t, `SELECT count(*) FROM reconciliation.charge_dispositions WHERE charge_id = $1 AND disposition = $2`, charge, kind) == 1
		})
	}
	a, b := s.buyer("loop one"), s.buyer("loop two")
	for _, buyer := range []*buyer{a, b} {
		if paid := buyer.pays(t, card); !paid.fulfilled() {
			t.Fatalf("the purchase: %d %s", paid.Status, paid.Body)
		}
	}
	foreign := s.foreignCharge(t, "24900", nil)
	chargeA, chargeB := a.atStripe(t).charges[0].ID, b.atStripe(t).charges[0].ID
	is(chargeA, "MATCHED")
	is(chargeB, "MATCHED")
	is(foreign, "FOREIGN")

	first := a.record(t)
	// A mail reads its order when it is sent: after the loss it would say another thing.
	await(t, "both confirmations to be sent", func() bool {
		return s.count(t, `SELECT count(*) FROM notifications.messages WHERE state = 'SENT'`) == 2
	})
	s.down(t, "orders")
	for _, sql := range []string{"DELETE FROM orders.river_job", "DELETE FROM orders.history", "DELETE FROM orders.submissions", "DELETE FROM orders.orders"} {
		if _, err := s.DB().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	s.up(t, "orders")
	if again := a.awaitRest(t, "RECOVERED"); again.ID != first.ID || again.RecoveredBy != "reconciliation" {
		t.Errorf("the lost order came back as %+v", again)
	}
	is(chargeA, "RECOVERED")
	is(chargeB, "RECOVERED")
	a.judgeMails(t, first.ID, tells(first.State), 1)

	s.down(t, "provisioning")
	for _, sql := range []string{"DELETE FROM provisioning.activations", "DELETE FROM provisioning.grant_events", "DELETE FROM provisioning.grants", "DELETE FROM provisioning.hooks", "DELETE FROM provisioning.app_access", "DELETE FROM provisioning.accounts"} {
		if _, err := s.DB().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	s.up(t, "provisioning")
	await(t, "both grants to be given again", func() bool {
		return s.count(t, `SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NULL`) == 2
	})

	s.refundAtStripe(t, chargeB, "")
	is(chargeB, "REFUNDED")
	if r := b.awaitRest(t, "REFUNDED"); r.ID == "" {
		t.Error("the refunded order is gone")
	}

	var report struct {
		DifferenceCount  string `json:"difference_count"`
		Complete         bool
		IncompleteReason string `json:"incomplete_reason"`
		Differences      []json.RawMessage
		Charges          []struct {
			Disposition string
			AmountMinor string `json:"amount_minor"`
		}
	}
	await(t, "the report to add up", func() bool {
		s.admin(t, "/admin/v1/integrity", &report)
		return report.DifferenceCount == "" || report.DifferenceCount == "0"
	})
	if len(report.Charges) != 3 {
		t.Errorf("the report: %+v", report)
	}
	for _, c := range report.Charges {
		if c.AmountMinor != "24900" {
			t.Errorf("the report: %+v", report.Charges)
		}
	}
	if _, err := s.DB().Exec(t.Context(), `UPDATE reconciliation.balance_transactions SET amount_minor = amount_minor - 1, net_minor = net_minor - 1 WHERE charge_id = $1 AND type = 'charge'`, chargeA); err != nil {
		t.Fatal(err)
	}
	s.admin(t, "/admin/v1/integrity", &report)
	if report.DifferenceCount != "1" || !strings.Contains(string(report.Differences[0]), chargeA) || !strings.Contains(string(report.Differences[0]), "24899") {
		t.Errorf("one cent less: %s", report.Differences)
	}
	if n := s.count(t, `SELECT count(*) FROM orders.orders`); n != 2 {
		t.Errorf("%d orders", n)
	}
}

// foreignCharge is another product's on the same account.
func (s *shop) foreignCharge(t *testing.T, amount string, more url.Values) (id string) {
	t.Helper()
	form := url.Values{"amount": {amount}, "currency": {"usd"}, "payment_method": {"pm_card_visa"}, "payment_method_types[]": {"card"}, "confirm": {"true"}}
	maps.Copy(form, more)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.StripeURL()+"/v1/payment_intents", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "Bearer sk_test_makegood")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var intent struct {
		LatestCharge string `json:"latest_charge"`
	}
	if err := json.NewDecoder(response.Body).Decode(&intent); err != nil || response.StatusCode != http.StatusOK || intent.LatestCharge == "" {
		t.Fatalf("another product's charge: %d, %v", response.StatusCode, err)
	}
	return intent.LatestCharge
}

// admin reads from the admin listener as a person who may.
func (s *shop) admin(t *testing.T, path string, into any) {
	t.Helper()
	token, err := s.Token("admin")
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.AdminURL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d", path, response.StatusCode)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}
