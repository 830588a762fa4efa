package payments_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"

	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// A page that is finished without a charge, here for a trial, begins the
// subscription: Stripe asked for nothing, and its buyer has what was sold.
func TestAPageThatBeginsATrial(t *testing.T) {
	t.Parallel()
	s, session := onThePage(t, nil)
	var other struct{ ID string }
	s.call("/v1/checkout/sessions", url.Values{
		"mode": {"subscription"}, "customer": {s.account().Customers[0].ID}, "success_url": {"https://example.com"},
		"line_items[0][quantity]": {"1"}, "line_items[0][price_data][currency]": {"usd"}, "line_items[0][price_data][unit_amount]": {"24900"},
		"line_items[0][price_data][product_data][name]": {"Subscription"}, "line_items[0][price_data][recurring][interval]": {"year"},
		"subscription_data[trial_period_days]": {"30"},
	}, &other)
	s.exec(`UPDATE payments.payments SET checkout_session_id = $1 WHERE checkout_session_id = $2`, other.ID, session)
	s.paysThere(other.ID, "pm_card_visa")
	p := s.look(s.request.GetPurchase(), pb.Payment_SUCCEEDED)
	wantAsked(t, p, 0)
	if lasts := p.GetTerm().GetPeriodEnd().AsTime().Sub(p.GetTerm().GetPeriodStart().AsTime()); lasts != 30*day {
		t.Errorf("its term lasts %s", lasts)
	}
	s.wantCharged(0)
}

// The news of a first term race each other: none of them takes the order for
// another subscription's.
func TestTheFirstTermIsToldAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := onThePage(t, nil)
	for range 25 {
		r := s.hostedRequest()
		s.orderID = r.GetPurchase().GetOrderId()
		s.orders.set(func() { s.orders.has[s.orderID] = true })
		page := s.paid(r, pb.Payment_REQUIRES_ACTION).GetRedirectUrl()
		s.news()
		s.paysThere(page[strings.LastIndex(page, "/")+1:], "pm_card_visa")
		subs := s.account().Subscriptions
		s.sub = subs[len(subs)-1].ID
		var all sync.WaitGroup
		for _, e := range s.news() {
			all.Go(func() {
				if status, err := s.deliver(e); err != nil || status == "QUARANTINED" {
					t.Errorf("%s: %q, %v", kindOf(e), status, err)
				}
			})
		}
		all.Wait()
		s.wantTerms(1)
		if n := s.cases.count(reconciliationv1.Case_SUBSCRIPTION, "subscription/"+s.sub); n != 0 {
			t.Fatalf("%d cases about a subscription that began as it should", n)
		}
	}
}
