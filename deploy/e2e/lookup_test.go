package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// found is what the desk says of a customer.
type found struct {
	Candidates     []possible `json:"candidates"`
	Diagnosis      string     `json:"diagnosis"`
	Explanation    string     `json:"explanation"`
	Recommendation struct {
		RPC         string `json:"rpc"`
		RequestJSON string `json:"request_json"`
		Reply       string `json:"reply"`
	} `json:"recommendation"`
	Timeline []struct {
		At     time.Time `json:"at"`
		Source string    `json:"source"`
		Text   string    `json:"text"`
		Actor  string    `json:"actor"`
	} `json:"timeline"`
	Orders []struct {
		Order struct {
			ID string `json:"id"`
		} `json:"order"`
	} `json:"orders"`
	Charges []struct {
		ChargeID string `json:"charge_id"`
		Owner    string `json:"owner"`
	} `json:"charges"`
	StripeRead bool     `json:"stripe_read"`
	Unread     []string `json:"unread"`
}

// possible is one of several whom it may be about.
type possible struct {
	OrderID string `json:"order_id"`
	Query   string `json:"query"`
}

// posts sends a call to the admin listener as a person who may.
func (s *shop) posts(t *testing.T, path string, body any, into any) (status int) {
	t.Helper()
	token, err := s.Token("admin")
	if err != nil {
		t.Fatal(err)
	}
	text, isText := body.(string)
	if !isText {
		sent, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(sent)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.AdminURL()+path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatalf("%s: %d, %v", path, response.StatusCode, err)
	}
	return response.StatusCode
}

func (s *shop) looksUp(t *testing.T, query string) (f found) {
	t.Helper()
	return s.looksUpBy(t, map[string]any{"query": query})
}

func (s *shop) looksUpBy(t *testing.T, body map[string]any) (f found) {
	t.Helper()
	if status := s.posts(t, "/admin/v1/support:lookup", body, &f); status != http.StatusOK {
		t.Fatalf("looking up %v: %d", body, status)
	}
	return f
}

func (f found) says(t *testing.T, what, diagnosis string, texts ...string) {
	t.Helper()
	all := f.Explanation
	for i, e := range f.Timeline {
		all += "\n" + e.Source + ": " + e.Text
		if i > 0 && e.At.Before(f.Timeline[i-1].At) {
			t.Errorf("%s: %q is told before what came before it", what, e.Text)
		}
	}
	if f.Diagnosis != diagnosis {
		t.Errorf("%s: %s, want %s\n%s", what, f.Diagnosis, diagnosis, all)
	}
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("%s: it does not say %q\n%s", what, text, all)
		}
	}
}

// TestTheDeskFindsTheFrightenedCustomer: somebody paid, Orders died before it knew,
// and nothing recovers by itself. Whatever they can give leads to them, to what is
// the matter, and to the one call that mends it.
func TestTheDeskFindsTheFrightenedCustomer(t *testing.T) {
	t.Parallel()
	s := open(t, "RESCUE_AFTER=off", "RECONCILE_EVERY=off", "APOLOGY_AFTER=1s")
	s.pauseWebhooks(t, true)
	s.settle(t)
	b := s.buyer("Frightened Jane")
	hold := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	answered := b.startsToPay(t, card)
	hold.reached(t)
	s.down(t, "orders")
	hold.letGo(t, []string{"orders"})
	if got := <-answered; got.Status != http.StatusServiceUnavailable {
		t.Fatalf("the buyer got %d %s", got.Status, got.Body)
	}
	charge := b.atStripe(t).charges[0].ID

	// While Orders is away, the charge is found, and nothing is concluded from an order
	// that was not read.
	for what, query := range map[string]string{"address": b.email, "charge": charge, "reference": b.reference} {
		f := s.looksUp(t, query)
		f.says(t, "without Orders, by "+what, "UNCLEAR", "could not be read: the orders", "Stripe took the money: $249.00")
		if len(f.Charges) != 1 || f.Charges[0].ChargeID != charge || f.Charges[0].Owner != "OURS" || !slices.Contains(f.Unread, "the orders") {
			t.Errorf("without Orders, by %s: %+v", what, f)
		}
	}
	s.up(t, "orders")
	b.waitsForAnApology(t)
	order := b.record(t).ID

	await(t, "Orders to be read again", func() bool { return len(s.looksUp(t, order).Unread) == 0 })

	var customer string
	if err := s.DB().QueryRow(t.Context(), `SELECT customer_id FROM payments.payments WHERE order_id = $1`, order).Scan(&customer); err != nil {
		t.Fatal(err)
	}
	foreign := s.foreignCharge(t, "500", url.Values{"customer": {customer}})
	today := time.Now().UTC()
	hint := map[string]any{"last4": "4242", "amount_minor": "24900", "currency": "usd", "date": today.Format(time.DateOnly)}
	for what, body := range map[string]map[string]any{
		"address in another case": {"query": strings.ToUpper(b.email)}, "short reference": {"query": "#" + b.reference[:8]}, "reference": {"query": b.reference},
		"order": {"query": order}, "charge": {"query": charge}, "Stripe customer": {"query": customer},
	} {
		f := s.looksUpBy(t, body)
		f.says(t, "by "+what, "STUCK_ORDER", "is still PENDING", "Stripe took the money: $249.00, card or account ending in 4242", "It is not of this product")
		if len(f.Orders) != 1 || f.Orders[0].Order.ID != order || f.Recommendation.RPC != "reconciliation.v1.SupportService/Recover" || f.Recommendation.Reply != "RECOVERY" {
			t.Errorf("by %s: %+v", what, f)
		}
		owners := map[string]string{}
		for _, c := range f.Charges {
			owners[c.ChargeID] = c.Owner
		}
		if len(owners) != 2 || owners[charge] != "OURS" || owners[foreign] != "FOREIGN" {
			t.Errorf("by %s: the charges are %v", what, owners)
		}
	}

	// The card, the amount and the day fit the purchase that went before, too.
	f := s.looksUpBy(t, map[string]any{"card": hint})
	if len(f.Candidates) != 2 || !slices.ContainsFunc(f.Candidates, func(c possible) bool { return c.OrderID == order }) {
		t.Errorf("by the bank statement: %+v", f)
	}
	hint["date"] = today.AddDate(0, 0, -5).Format(time.DateOnly)
	s.looksUpBy(t, map[string]any{"card": hint}).says(t, "by another day", "NO_CHARGE_NO_ORDER")

	// Stripe is away: what is known is told, and nothing more.
	var faults []string
	for _, path := range []string{"/v1/charges", "/v1/charges/*", "/v1/customers"} {
		var fault struct{ ID string }
		s.sim(t, http.MethodPost, "/_sim/faults", map[string]any{"method": http.MethodGet, "path": path, "mode": "error_before", "status": 503}, &fault)
		faults = append(faults, fault.ID)
	}
	f = s.looksUp(t, b.email)
	f.says(t, "without Stripe", "STRIPE_UNREACHABLE", "not known whether money was taken", "is PENDING")
	if f.StripeRead || f.Recommendation.RPC != "" {
		t.Errorf("without Stripe: %+v", f)
	}
	for _, id := range faults {
		s.sim(t, http.MethodDelete, "/_sim/faults/"+id, nil, nil)
	}

	// What is recommended is the call that mends it.
	f = s.looksUp(t, b.email)
	var done struct {
		Done bool `json:"done"`
	}
	if status := s.posts(t, "/admin/v1/support:recover", f.Recommendation.RequestJSON, &done); status != http.StatusOK || !done.Done {
		t.Fatalf("what was recommended (%s): %d %+v", f.Recommendation.RequestJSON, status, done)
	}
	b.awaitMail(t, "recovery")
	await(t, "the mail to be known as sent", func() bool {
		return s.count(t, `SELECT count(*) FROM notifications.messages WHERE dedupe_key = $1 AND state = 'SENT'`, "order/"+order+"/confirmation") == 1
	})
	f = s.looksUp(t, b.email)
	f.says(t, "recovered", "ALL_GOOD", "Recover was asked for", "Recover was done", "by support", "The mail server took the confirmation with an apology", "access: Access of order")

	// Eight characters are not always one order.
	twin := s.buyer("twin")
	twin.reference = b.reference[:8] + twin.reference[8:]
	if got := twin.pays(t, card); !got.fulfilled() {
		t.Fatalf("the twin: %d %s", got.Status, got.Body)
	}
	f = s.looksUp(t, b.reference[:8])
	if len(f.Candidates) != 2 || f.Diagnosis != "DIAGNOSIS_UNSPECIFIED" || len(f.Orders) != 0 {
		t.Errorf("by a reference of two: %+v", f)
	}
	for _, c := range f.Candidates {
		if one := s.looksUp(t, c.Query); len(one.Orders) != 1 || one.Orders[0].Order.ID != c.OrderID {
			t.Errorf("the candidate %+v is %+v", c, one)
		}
	}
}
