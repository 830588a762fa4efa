package payments_test

import (
	"strings"
	"sync"
	"testing"

	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

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
