package payments_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

var lookingOn = map[string]string{"RESCUE_AFTER": "30s"}

// Stripe tells nothing at all: the subscription's own looks find every term and
// every state, before anybody is locked out.
func TestASubscriptionOfWhichNoEventArrives(t *testing.T) {
	t.Parallel()
	s, session := onThePage(t, lookingOn)
	s.paysThere(session, "pm_card_visa")
	s.sub = s.account().Subscriptions[0].ID
	s.look(s.request.GetPurchase(), pb.Payment_SUCCEEDED)
	s.clock.Advance(31 * time.Second)
	s.awaitStands(pb.Subscription_ACTIVE, true)
	s.wantTerms(1)
	for year := range 2 {
		s.passes(366 * day)
		await(t, "the renewal", func() bool { return len(s.orders.renewals(s.orderID)) == year+1 })
	}
	s.awaitStands(pb.Subscription_ACTIVE, true)
	s.wantTerms(3)
	await(t, "a next look within a day", func() bool {
		return s.text(`SELECT (look_count = 0 AND next_look_at - observed_at <= interval '24 hours')::text FROM payments.subscriptions`) == "true"
	})
	s.card("pm_card_chargeCustomerFail")
	s.passes(366 * day)
	s.awaitStands(pb.Subscription_PAST_DUE, true)
	s.passes(30 * day)
	s.awaitStands(pb.Subscription_ENDED, false)
	for _, asked := range s.asked() {
		if asked.method != "GET" && !strings.HasPrefix(asked.path, "/v1/c") && asked.key != "" {
			t.Errorf("Stripe was asked to %s", asked)
		}
	}
}

func (s *subscriber) awaitStands(want pb.Subscription_Status, renews bool) {
	s.t.Helper()
	await(s.t, "Orders to hear that it is "+want.String(), func() bool {
		sub := s.orders.subscription(s.orderID)
		return sub.GetStatus() == want && sub.GetRenews() == renews
	})
}

// Orders is down when a term is paid, and Payments is killed before it is back:
// the term is told once somebody answers, and only then counts as told.
func TestATermThatCouldNotBeTold(t *testing.T) {
	t.Parallel()
	s := subscribed(t, lookingOn)
	s.awaitStands(pb.Subscription_ACTIVE, true)
	s.orders.set(func() { s.orders.down = true })
	s.passes(366 * day)
	await(t, "the term's record", func() bool {
		return s.text(`SELECT count(*)::text FROM payments.payments WHERE renews_order_id IS NOT NULL AND status = 'SUCCEEDED' AND told_at IS NULL`) == "1"
	})
	paid := s.event("invoice.paid")
	s.notYet(paid)
	s.stop()
	s.orders.set(func() { s.orders.down = false })
	if n := len(s.orders.renewals(s.orderID)); n != 0 {
		t.Fatalf("%d renewals were told", n)
	}
	s.client(s.instance(), "orders")
	s.clock.Advance(2 * time.Hour)
	await(t, "the renewal", func() bool { return len(s.orders.renewals(s.orderID)) == 1 })
	await(t, "its acknowledgement", func() bool {
		return s.text(`SELECT count(*)::text FROM payments.payments WHERE subscription_id IS NOT NULL AND told_at IS NULL`) == "0"
	})
	await(t, "the event's own retry", func() bool { return s.ledger(paid, "status") == "PROCESSED" })
	s.wantTerms(2)
	handedOver := func() int {
		s.orders.mu.Lock()
		defer s.orders.mu.Unlock()
		return len(s.orders.adopted)
	}
	told := handedOver()
	for range 5 {
		s.passes(25 * time.Hour)
		at := s.clock.Now()
		await(t, "a daily look", func() bool { return !s.orders.subscription(s.orderID).GetObservedAt().AsTime().Before(at) })
	}
	if now := handedOver(); now != told {
		t.Errorf("the renewal was told %d times more", now-told)
	}
}

func TestASubscriptionThatCannotBeReadForLongIsACase(t *testing.T) {
	t.Parallel()
	s := subscribed(t, lookingOn)
	s.awaitStands(pb.Subscription_ACTIVE, true)
	end := s.fault("GET /v1/subscriptions/*", "error_before", 0, 500)
	s.passes(25 * time.Hour)
	await(t, "the case", func() bool {
		s.clock.Advance(10 * time.Minute)
		return s.cases.count(reconciliationv1.Case_SUBSCRIPTION, "subscription/"+s.sub) > 0
	})
	// By this, Reconciliation knows when the case is over.
	desk := s.sweep()
	followed := func() *pb.FollowedSubscription {
		t.Helper()
		answer, err := desk.ListFollowed(t.Context(), &pb.ListFollowedRequest{SubscriptionIds: []string{s.sub, "sub_unknown"}})
		if err != nil || len(answer.GetSubscriptions()) != 1 {
			t.Fatalf("%v %v", answer, err)
		}
		return answer.GetSubscriptions()[0]
	}
	if f := followed(); f.GetFailedLooks() == 0 || f.GetFollowedAt().AsTime().After(s.clock.Now().Add(-20*time.Minute)) {
		t.Errorf("while it cannot be read: %v", f)
	}
	end()
	at := s.clock.Now()
	await(t, "the next look", func() bool {
		s.clock.Advance(10 * time.Minute)
		return s.orders.subscription(s.orderID).GetObservedAt().AsTime().After(at)
	})
	await(t, "rest", func() bool { return s.text(`SELECT look_count::text FROM payments.subscriptions`) == "0" })
	if f := followed(); f.GetFailedLooks() != 0 || !f.GetFollowedAt().AsTime().After(at) {
		t.Errorf("since it can be read: %v", f)
	}
}

// Orders was restored from before the subscription: it is adopted with all its terms.
func TestASubscriptionThatOrdersLost(t *testing.T) {
	t.Parallel()
	s := subscribed(t, nil)
	s.passes(366 * day)
	s.hears()
	s.orders.set(func() { s.orders.has, s.orders.adopted = map[string]bool{}, nil })
	s.passes(366 * day)
	s.hears()
	s.orders.mu.Lock()
	first := slices.IndexFunc(s.orders.adopted, func(r *ordersv1.AdoptChargeRequest) bool { return r.GetPayment().GetOrderId() == s.orderID })
	if first != 0 || s.orders.adopted[0].GetPlanId() != "annual-subscription" || s.orders.adopted[0].GetEmail() != "jane@example.com" {
		t.Errorf("adopted %v", s.orders.adopted)
	}
	s.orders.mu.Unlock()
	s.wantTerms(3)
	s.wantStands(pb.Subscription_ACTIVE, true)
}

// Payments was restored from before the purchase: its page, or what was paid
// there, is found at Stripe.
func TestASubscriptionThatPaymentsLost(t *testing.T) {
	t.Parallel()
	for _, paid := range []bool{false, true} {
		s, session := onThePage(t, nil)
		if paid {
			s.paysThere(session, "pm_card_visa")
		}
		s.loseRecords(`DELETE FROM payments.customers`)
		if !paid {
			if page := s.paid(s.request, pb.Payment_REQUIRES_ACTION).GetRedirectUrl(); !strings.HasSuffix(page, session) {
				t.Errorf("sent to %s, and not to %s", page, session)
			}
			s.loseRecords(`DELETE FROM payments.customers`)
			s.look(s.request.GetPurchase(), pb.Payment_UNKNOWN) // nobody's attempt; the page is known
			s.cancel(s.request, pb.Payment_CANCELED)
			continue
		}
		p := s.look(s.request.GetPurchase(), pb.Payment_SUCCEEDED)
		if p.GetTerm().GetInvoiceId() == "" {
			t.Errorf("found %v", p)
		}
	}
}

// The same, at a live key, when it is an event that brings the news.
func TestASubscriptionThatOnlyStripeKnows(t *testing.T) {
	t.Parallel()
	s, session := onThePage(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	s.paysThere(session, "pm_card_visa")
	s.sub = s.account().Subscriptions[0].ID
	s.loseRecords(`DELETE FROM payments.customers`)
	s.orders.set(func() { s.orders.has = map[string]bool{} })
	s.delivered(s.event("invoice.paid"), "PROCESSED")
	s.orders.mu.Lock()
	adopted := slices.Clone(s.orders.adopted)
	s.orders.mu.Unlock()
	if len(adopted) != 1 || adopted[0].GetPayment().GetOrderId() != s.orderID || adopted[0].GetReference() != s.request.GetPurchase().GetReference() ||
		adopted[0].GetPayment().GetTerm().GetSubscriptionId() != s.sub {
		t.Fatalf("adopted %v", adopted)
	}
	s.wantStands(pb.Subscription_ACTIVE, true)
}

func TestAPageOfASubscriptionThatNobodyPaid(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"canceled", "expired"} {
		s, session := onThePage(t, nil)
		if how == "canceled" {
			s.cancel(s.request, pb.Payment_CANCELED)
		} else {
			s.call("/v1/checkout/sessions/"+session+"/expire", url.Values{}, nil)
			s.hears()
		}
		s.look(s.request.GetPurchase(), pb.Payment_CANCELED)
		if subs := s.account().Subscriptions; len(subs) != 0 {
			t.Errorf("%s: %v", how, subs)
		}
		if s.orders.subscription(s.orderID) != nil {
			t.Errorf("%s: Orders heard of a subscription", how)
		}
	}
}

// A bank debit is on its way for days: the subscription is active at Stripe, and
// gives nothing here until the money is there.
func TestASubscriptionThatIsCompletedAndUnpaid(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]pb.Payment_Status{"pm_usBankAccount_success": pb.Payment_SUCCEEDED, "pm_usBankAccount_failure": pb.Payment_REQUIRES_PAYMENT_METHOD} {
		s, session := onThePage(t, nil)
		s.paysThere(session, method)
		s.sub = s.account().Subscriptions[0].ID
		s.hears()
		s.look(s.request.GetPurchase(), pb.Payment_PROCESSING)
		if s.orders.subscription(s.orderID) != nil {
			t.Errorf("%s: Orders heard of a subscription whose first term is not paid", method)
		}
		s.passes(4 * day)
		s.hears()
		s.look(s.request.GetPurchase(), want)
		if want == pb.Payment_SUCCEEDED {
			s.wantTerms(1)
			s.wantStands(pb.Subscription_ACTIVE, true)
			if told := s.lastTold(s.orderID).GetChargedAt().AsTime(); s.clock.Now().Sub(told) > 2*day {
				t.Errorf("paid at %s, when the debit was begun", told)
			}
			continue
		}
		if s.orders.subscription(s.orderID) != nil {
			t.Errorf("%s: Orders heard of a subscription that was never paid", method)
		}
		s.cancel(s.request, pb.Payment_CANCELED)
		if sub := s.account().Subscriptions[0]; sub.Status != "canceled" && sub.Status != "incomplete_expired" {
			t.Errorf("the subscription is %s", sub.Status)
		}
	}
}

func TestTwoParallelSubscribesMakeOneCustomer(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	done := make(chan error)
	for range 2 {
		r := s.request(s.purchase("jane@example.com"), "")
		r.Hosted, r.Purchase.RenewsMonths, r.Purchase.OrderedAt = true, 12, timestamppb.New(s.clock.Now())
		go func() { _, err := s.pay.Pay(s.context(), r); done <- err }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := len(s.account().Customers); n != 1 {
		t.Errorf("%d customers", n)
	}
}

// The first invoice was given up, and a later one is the first that is paid.
func TestASubscriptionWhoseSecondInvoiceIsTheFirstPaid(t *testing.T) {
	t.Parallel()
	s, session := onThePage(t, nil)
	s.paysThere(session, "pm_usBankAccount_failure")
	s.sub = s.account().Subscriptions[0].ID
	s.hears()
	s.passes(4 * day)
	s.call("/v1/invoices/"+s.account().Invoices[0].ID+"/void", url.Values{}, nil)
	s.hears()
	s.card("pm_card_visa")
	s.passes(366 * day)
	s.hears()
	s.wantTerms(1)
	s.wantStands(pb.Subscription_ACTIVE, true)
	s.passes(366 * day)
	s.hears()
	s.wantTerms(2)
}
