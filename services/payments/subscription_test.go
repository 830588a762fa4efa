package payments_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/payments/v1"
)

const day = 24 * time.Hour

// subscriber is a customer with a subscription, as the test follows it.
type subscriber struct {
	*scene
	request *pb.PayRequest
	orderID string
	sub     string // Stripe's id
	seen    int    // events at Stripe that were delivered, or lost
}

// onThePage is a buyer of a subscription who is on Stripe's page.
func onThePage(t *testing.T, more map[string]string) (*subscriber, string) {
	t.Helper()
	s := newScene(t, more)
	r := s.request(s.purchase("jane@example.com"), "")
	r.Hosted, r.Purchase.RenewsMonths, r.Purchase.PlanId = true, 12, "annual-subscription"
	s.orders.set(func() { s.orders.has = map[string]bool{r.GetPurchase().GetOrderId(): true} })
	page := s.paid(r, pb.Payment_REQUIRES_ACTION).GetRedirectUrl()
	return &subscriber{scene: s, request: r, orderID: r.GetPurchase().GetOrderId()}, page[strings.LastIndex(page, "/")+1:]
}

// subscribed has paid there, and Stripe told of it.
func subscribed(t *testing.T, more map[string]string) *subscriber {
	t.Helper()
	s, session := onThePage(t, more)
	s.paysThere(session, "pm_card_visa")
	s.sub = s.account().Subscriptions[0].ID
	s.hears()
	return s
}

// news are the events since the last call.
func (s *subscriber) news() (out [][]byte) {
	s.t.Helper()
	events := s.account().Events
	for _, e := range events[s.seen:] {
		out = append(out, e)
	}
	s.seen = len(events)
	return out
}

// hears delivers what is new, in Stripe's order.
func (s *subscriber) hears() {
	s.t.Helper()
	for _, e := range s.news() {
		if status, err := s.deliver(e); err != nil {
			s.t.Fatalf("%s: %q, %v", kindOf(e), status, err)
		}
	}
}

func kindOf(event []byte) string {
	var e struct{ Type string }
	_ = json.Unmarshal(event, &e)
	return e.Type
}

// passes lets time pass, for Stripe as for us.
func (s *subscriber) passes(d time.Duration) {
	s.t.Helper()
	s.clock.Advance(d)
	s.control("POST", "clock", map[string]string{"advance": "0s"}, nil) // what fell due happens
}

// card changes what Stripe charges.
func (s *subscriber) card(method string) {
	s.t.Helper()
	customer := s.account().Customers[0].ID
	var pm struct{ ID string }
	s.call("/v1/payment_methods/"+method+"/attach", url.Values{"customer": {customer}}, &pm)
	s.call("/v1/subscriptions/"+s.sub, url.Values{"default_payment_method": {pm.ID}}, nil)
}

// wantTerms checks that each paid term became one order, without gap or overlap.
func (s *subscriber) wantTerms(n int) []*ordersv1.AdoptChargeRequest {
	s.t.Helper()
	told := s.lastTold(s.orderID)
	renewals := s.orders.renewals(s.orderID)
	if told.GetStatus() != pb.Payment_SUCCEEDED || 1+len(renewals) != n {
		s.t.Fatalf("the first term is %s, and %d others followed; want %d", told.GetStatus(), len(renewals), n)
	}
	if rows := s.text(`SELECT count(*)::text FROM payments.payments WHERE subscription_id = $1 AND status = 'SUCCEEDED'`, s.sub); rows != itoa(n) {
		s.t.Errorf("%s payments", rows)
	}
	ends, orders := told.GetTerm().GetPeriodEnd().AsTime(), map[string]bool{s.orderID: true}
	slices.SortFunc(renewals, func(a, b *ordersv1.AdoptChargeRequest) int {
		return a.GetPayment().GetTerm().GetPeriodStart().AsTime().Compare(b.GetPayment().GetTerm().GetPeriodStart().AsTime())
	})
	for _, r := range renewals {
		p := r.GetPayment()
		if p.GetStatus() != pb.Payment_SUCCEEDED || p.GetChargeId() == "" || p.GetTerm().GetSubscriptionId() != s.sub ||
			!p.GetTerm().GetPeriodStart().AsTime().Equal(ends) || orders[p.GetOrderId()] || uuid.Validate(r.GetReference()) != nil {
			s.t.Errorf("a renewal from %s is %v", ends, r)
		}
		ends, orders[p.GetOrderId()] = p.GetTerm().GetPeriodEnd().AsTime(), true
	}
	return renewals
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// wantStands checks what Orders heard last.
func (s *subscriber) wantStands(want pb.Subscription_Status, renews bool) *pb.Subscription {
	s.t.Helper()
	sub := s.orders.subscription(s.orderID)
	if sub.GetStatus() != want || sub.GetRenews() != renews {
		s.t.Fatalf("Orders heard %v, want %s, renews %v", sub, want, renews)
	}
	return sub
}

func TestASubscriptionIsBoughtOnStripesPageAndRenews(t *testing.T) {
	t.Parallel()
	s, session := onThePage(t, nil)
	s.paysThere(session, "pm_card_visa")
	s.sub = s.account().Subscriptions[0].ID
	p := s.look(s.request.GetPurchase(), pb.Payment_SUCCEEDED)
	if term := p.GetTerm(); term.GetSubscriptionId() != s.sub || term.GetInvoiceId() == "" ||
		!term.GetPeriodEnd().AsTime().Equal(s.clock.Now().Truncate(time.Second).AddDate(1, 0, 0)) {
		t.Errorf("the term is %v", term)
	}
	if meta := s.account().Subscriptions[0].Metadata; meta["order_id"] != s.orderID || meta["plan_id"] != "annual-subscription" {
		t.Errorf("the subscription says %v", meta)
	}
	s.wantPageNames(s.request.GetPurchase(), "subscription", "subscription_data")
	s.hears()
	s.wantTerms(1)
	s.wantStands(pb.Subscription_ACTIVE, true)
	for year := range 2 {
		s.passes(366 * day)
		s.hears()
		s.wantTerms(year + 2)
		s.wantStands(pb.Subscription_ACTIVE, true)
	}
	s.wantCharged(3)
	if unresolved := s.text(`SELECT string_agg(type || ' ' || status, ', ') FROM payments.webhook_events WHERE status NOT IN ('PROCESSED', 'IGNORED')`); unresolved != "" {
		t.Errorf("the ledger has %s", unresolved)
	}
}

func TestASubscriptionNeedsStripesPage(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	for _, method := range []string{"", "pm_card_visa"} {
		r := s.request(s.purchase("jane@example.com"), method)
		r.Purchase.RenewsMonths = 12
		_, err := s.pay.Pay(s.context(), r)
		wantError(t, "Pay", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	}
	if asked := s.asked(); len(asked) != 0 {
		t.Errorf("Stripe was asked %v", asked)
	}
}

func TestARenewalThatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then   func(*subscriber)
		terms  int
		status pb.Subscription_Status
	}{
		"recovers":    {func(s *subscriber) { s.card("pm_card_visa"); s.passes(4 * day) }, 2, pb.Subscription_ACTIVE},
		"is given up": {func(s *subscriber) { s.passes(30 * day) }, 1, pb.Subscription_ENDED},
		"stays unpaid": {func(s *subscriber) {
			s.control("POST", "settings", map[string]any{"after_retries": "unpaid"}, nil)
			s.passes(30 * day)
		}, 1, pb.Subscription_UNPAID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := subscribed(t, nil)
			s.card("pm_card_chargeCustomerFail")
			s.passes(366 * day)
			s.hears()
			sub := s.wantStands(pb.Subscription_PAST_DUE, true)
			if u := sub.GetUnpaid(); u.GetInvoiceId() == "" || u.GetAmountMinor() != price || u.GetCurrency() != "USD" ||
				!strings.Contains(u.GetHostedUrl(), "http") || u.GetActionRequired() || !u.GetNextAttemptAt().AsTime().After(s.clock.Now()) {
				t.Errorf("unpaid is %v", u)
			}
			s.wantTerms(1)
			c.then(s)
			s.hears()
			s.wantTerms(c.terms)
			if sub := s.wantStands(c.status, c.status == pb.Subscription_ACTIVE); (sub.GetUnpaid() != nil) != (c.status == pb.Subscription_UNPAID) {
				t.Errorf("unpaid is %v", sub.GetUnpaid())
			}
		})
	}
}

func TestARenewalThatAsksForAuthentication(t *testing.T) {
	t.Parallel()
	s := subscribed(t, nil)
	s.card("pm_card_authenticationRequired")
	s.passes(366 * day)
	s.hears()
	if u := s.wantStands(pb.Subscription_PAST_DUE, true).GetUnpaid(); !u.GetActionRequired() {
		t.Errorf("unpaid is %v", u)
	}
	invoices := s.account().Invoices
	s.authenticate(invoices[len(invoices)-1].Intent, "success")
	s.hears()
	s.wantTerms(2)
	s.wantStands(pb.Subscription_ACTIVE, true)
}

func TestASubscriptionThatIsChangedAtStripe(t *testing.T) {
	t.Parallel()
	s := subscribed(t, nil)
	change := func(pairs ...string) {
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		s.call("/v1/subscriptions/"+s.sub, form, nil)
		s.hears()
	}
	change("pause_collection[behavior]", "void")
	s.wantStands(pb.Subscription_ACTIVE, false)
	change("pause_collection", "")
	s.wantStands(pb.Subscription_ACTIVE, true)
	change("cancel_at_period_end", "true")
	s.wantStands(pb.Subscription_ACTIVE, false)
	change("cancel_at_period_end", "false")
	s.wantStands(pb.Subscription_ACTIVE, true)
	change("cancel_at_period_end", "true")
	s.passes(366 * day)
	s.hears()
	s.wantStands(pb.Subscription_ENDED, false)
	s.wantTerms(1)
	if next := s.text(`SELECT next_look_at::text FROM payments.subscriptions`); next != "" {
		t.Errorf("what is over is looked at again %s", next)
	}
}

func TestASubscriptionThatIsCanceledNow(t *testing.T) {
	t.Parallel()
	s := subscribed(t, nil)
	s.remove("/v1/subscriptions/" + s.sub)
	s.hears()
	s.wantStands(pb.Subscription_ENDED, false)
}
