package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// foundCase is a case as the admin edge shows it.
type foundCase struct {
	ID           string     `json:"id"`
	Kind         string     `json:"kind"`
	Subject      string     `json:"subject"`
	State        string     `json:"state"`
	Summary      string     `json:"summary"`
	ClaimedBy    string     `json:"claimed_by"`
	SnoozedUntil *time.Time `json:"snoozed_until"`
	ResolvedBy   string     `json:"resolved_by"`
	Resolution   string     `json:"resolution"`
	Events       []struct{ What string }
}

// cases lists the cases of a kind, snoozed ones too.
func (s *shop) cases(t *testing.T, kind string) (found []foundCase) {
	t.Helper()
	var list struct{ Cases []foundCase }
	s.admin(t, "/admin/v1/cases?include_snoozed=true", &list)
	for _, c := range list.Cases {
		if c.Kind == kind {
			found = append(found, c)
		}
	}
	return found
}

// work posts to a verb of a case and answers with the status and the case.
func (s *shop) work(t *testing.T, c foundCase, verb string, body map[string]any) (status int, now foundCase) {
	t.Helper()
	token, err := s.Token("admin")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.AdminURL()+"/admin/v1/cases/"+c.ID+":"+verb, strings.NewReader(string(text)))
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
	if err := json.NewDecoder(response.Body).Decode(&now); err != nil {
		t.Fatalf("%s: %d, %v", verb, response.StatusCode, err)
	}
	return response.StatusCode, now
}

// refundAsTheCaseSays makes the one call that a case names.
func (s *shop) refundAsTheCaseSays(t *testing.T, c foundCase) *paymentsv1.Refund {
	t.Helper()
	_, call, found := strings.Cut(c.Summary, "payments.v1.PaymentsAdminService/RefundPayment ")
	if !found {
		t.Fatalf("the case names no call: %s", c.Summary)
	}
	request := &paymentsv1.RefundPaymentRequest{}
	if err := protojson.Unmarshal([]byte(call), request); err != nil {
		t.Fatalf("%s: %v", call, err)
	}
	conn, err := grpc.NewClient("passthrough:///"+s.Env("PAYMENTS_GRPC_ADDR"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	token, err := s.Token("admin")
	if err != nil {
		t.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+strings.TrimSpace(token))
	refund, err := paymentsv1.NewPaymentsAdminServiceClient(conn).RefundPayment(ctx, request)
	if err != nil {
		t.Fatalf("the call that the case names: %v", err)
	}
	return refund
}

// TestAnOrderThatWasPaidTwiceIsOneCaseAndOneStepEndsIt: the case shows both charges,
// is worked on over the admin edge, and closes by itself when the second has gone
// back. Nothing of the first is touched.
func TestAnOrderThatWasPaidTwiceIsOneCaseAndOneStepEndsIt(t *testing.T) {
	t.Parallel()
	s := open(t, "RECONCILE_EVERY=1s")
	b := s.buyer("paid twice")
	if paid := b.pays(t, card); !paid.fulfilled() {
		t.Fatalf("the purchase: %d %s", paid.Status, paid.Body)
	}
	order, first := b.record(t), b.atStripe(t).charges[0]
	mark := func(order string) url.Values {
		return url.Values{"customer": {first.Customer}, "metadata[makegood_app]": {"makegood"}, "metadata[order_id]": {order}, "metadata[reference]": {b.reference}, "metadata[plan_id]": {"annual"}}
	}
	second := s.foreignCharge(t, "24900", mark(order.ID))

	var twice foundCase
	await(t, "one case that shows both", func() bool {
		found := s.cases(t, "DUPLICATE_CHARGE")
		if len(found) > 1 {
			t.Fatalf("more than one case: %+v", found)
		}
		for _, c := range found {
			twice = c
		}
		return strings.Contains(twice.Summary, first.ID) && strings.Contains(twice.Summary, second) && strings.Count(twice.Summary, "$249.00") == 2
	})
	if status, c := s.work(t, twice, "claim", map[string]any{"note": "mine"}); status != http.StatusOK || c.ClaimedBy == "" || c.State != "OPEN" {
		t.Errorf(":claim answered %d %+v", status, c)
	}
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	if status, c := s.work(t, twice, "snooze", map[string]any{"until": until, "reason": "the buyer is asked"}); status != http.StatusOK || c.SnoozedUntil == nil || !c.SnoozedUntil.Equal(until) {
		t.Errorf(":snooze answered %d %+v", status, c)
	}
	var awake struct{ Cases []foundCase }
	if s.admin(t, "/admin/v1/cases?state=OPEN", &awake); len(awake.Cases) != 0 {
		t.Errorf("the queue still shows it: %+v", awake.Cases)
	}

	refund := s.refundAsTheCaseSays(t, twice)
	if again := s.refundAsTheCaseSays(t, twice); again.GetStripeRefundId() != refund.GetStripeRefundId() {
		t.Errorf("made twice, the call is two refunds: %v and %v", refund, again)
	}
	await(t, "the case to close by itself", func() bool {
		c := s.cases(t, "DUPLICATE_CHARGE")
		return len(c) == 1 && c[0].State == "RESOLVED" && c[0].ResolvedBy == "system" && strings.Contains(c[0].Resolution, second)
	})
	for _, c := range b.atStripe(t).charges {
		if want := map[string]int64{second: 24900}[c.ID]; c.AmountRefunded != want {
			t.Errorf("of %s %d went back, want %d", c.ID, c.AmountRefunded, want)
		}
	}
	if now := b.record(t); now.State != order.State {
		t.Errorf("the order is %s", now.State)
	}
	if n := s.count(t, "SELECT count(*) FROM provisioning.grants WHERE order_id = $1 AND revoked_at IS NULL", order.ID); n != 1 {
		t.Errorf("%d grants", n)
	}
	b.judgeMails(t, order.ID, tells(order.State), 1)

	// What only a person can decide, a person closes. No webhook brings it: of another
	// amount for a paid order it would say that the order was paid twice.
	s.pauseWebhooks(t, true)
	s.foreignCharge(t, "24800", mark(order.ID))
	var wrong foundCase
	await(t, "a case about another amount", func() bool {
		found := append(s.cases(t, "WRONG_CHARGE"), s.cases(t, "UNCLEAR_EVENT")...)
		if len(found) > 0 {
			wrong = found[0]
		}
		return wrong.State == "OPEN"
	})
	if status, c := s.work(t, wrong, "resolve", map[string]any{"resolution": "asked the buyer: it was meant for another shop"}); status != http.StatusOK || c.State != "RESOLVED" || c.ResolvedBy == "" || c.ResolvedBy == "system" {
		t.Errorf(":resolve answered %d %+v", status, c)
	}
	if status, _ := s.work(t, wrong, "claim", map[string]any{}); status != http.StatusConflict {
		t.Errorf("claiming what is resolved answered %d", status)
	}
	runs := s.count(t, "SELECT count(*) FROM reconciliation.runs WHERE finished_at IS NOT NULL")
	await(t, "two more runs", func() bool {
		return s.count(t, "SELECT count(*) FROM reconciliation.runs WHERE finished_at IS NOT NULL") >= runs+2
	})
	if n := s.count(t, "SELECT count(*) FROM reconciliation.cases WHERE state = 'OPEN' AND kind = $1", wrong.Kind); n != 0 {
		t.Errorf("%d cases of what a person has decided are open again", n)
	}
}
