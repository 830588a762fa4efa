package payments_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// events are those of the given types about the subscription, in Stripe's order.
func (s *subscriber) events(types ...string) (out [][]byte) {
	s.t.Helper()
	for _, e := range s.account().Events {
		if slices.Contains(types, kindOf(e)) && strings.Contains(string(e), s.sub) {
			out = append(out, e)
		}
	}
	return out
}

// All happens in one second, and is told in any order, each twice.
func TestTheOrderOfASubscriptionsEventsDoesNotMatter(t *testing.T) {
	t.Parallel()
	s, _ := onThePage(t, nil)
	var events [][]byte
	next := func() {
		r := s.hostedRequest()
		s.orderID = r.GetPurchase().GetOrderId()
		s.orders.set(func() { s.orders.has[s.orderID] = true })
		page := s.paid(r, pb.Payment_REQUIRES_ACTION).GetRedirectUrl()
		s.paysThere(page[strings.LastIndex(page, "/")+1:], "pm_card_visa")
		subs := s.account().Subscriptions
		s.sub = subs[len(subs)-1].ID
		s.call("/v1/subscriptions/"+s.sub, url.Values{"cancel_at_period_end": {"true"}}, nil)
		s.remove("/v1/subscriptions/" + s.sub)
		events = s.events("customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted")
	}
	for n, order := range permutations([]int{0, 1, 2, 3}) {
		next()
		if len(events) != 4 {
			t.Fatalf("%d events", len(events))
		}
		paid := s.events("invoice.paid")[0]
		for at, i := range order {
			if at == n%4 {
				s.delivered(paid, "PROCESSED")
			}
			for range 2 {
				s.delivered(events[i], "PROCESSED")
			}
		}
		s.wantTerms(1)
		s.wantStands(pb.Subscription_ENDED, false)
	}
}

func (s *subscriber) hostedRequest() *pb.PayRequest {
	r := s.scene.request(s.purchase("jane@example.com"), "")
	r.Hosted, r.Purchase.RenewsMonths, r.Purchase.PlanId = true, 12, "annual-subscription"
	return r
}

// What Stripe delivers in other versions says the same in other places.
func TestASubscriptionInAnyVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2020-03-02", "2022-11-15", "2024-06-20", "2025-03-31.basil", "2025-10-29.clover"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := subscribed(t, nil)
			s.control(http.MethodPost, "webhooks", map[string]any{
				"paused": true, "api_version": version, "endpoints": []map[string]string{{"url": "http://127.0.0.1:1/", "secret": webhookSecret}},
			}, nil)
			s.passes(366 * day)
			s.delivered(s.sent("invoice.paid"), "PROCESSED")
			s.wantTerms(2)
			s.wantStands(pb.Subscription_ACTIVE, true)
			s.card("pm_card_chargeCustomerFail")
			s.passes(366 * day)
			s.delivered(s.sent("invoice.payment_failed"), "PROCESSED")
			s.wantStands(pb.Subscription_PAST_DUE, true)
			s.card("pm_card_visa")
			s.passes(4 * day)
			s.delivered(s.sent("customer.subscription.updated"), "PROCESSED")
			s.wantTerms(3)
			s.wantStands(pb.Subscription_ACTIVE, true)
		})
	}
}

// The money's own events carry nothing of ours: they lead there by their customer.
func TestTheMoneyOfARenewal(t *testing.T) {
	t.Parallel()
	for _, heard := range []string{"payment_intent.succeeded", "charge.succeeded", "charge.refunded", "refund.created", "charge.dispute.created"} {
		t.Run(heard, func(t *testing.T) {
			t.Parallel()
			s := subscribed(t, nil)
			s.passes(366 * day)
			charges := s.account().Charges
			charge := charges[len(charges)-1].ID
			switch {
			case strings.Contains(heard, "refund"):
				s.atStripe(charge, price)
			case strings.Contains(heard, "dispute"):
				s.disputed(&pb.Payment{ChargeId: charge})
			}
			s.delivered(s.event(heard), "PROCESSED")
			renewal := s.wantTerms(2)[0].GetPayment()
			if renewal.GetChargeId() != charge {
				t.Errorf("the renewal is %v", renewal)
			}
			told := s.lastTold(renewal.GetOrderId())
			if strings.Contains(heard, "refund") && told.GetRefundedMinor() != price || strings.Contains(heard, "dispute") && told.GetDispute() != pb.Payment_OPEN {
				t.Errorf("Orders was told %v", told)
			}
			if first := s.lastTold(s.orderID); first.GetRefundedMinor() != 0 || first.GetDispute() != 0 {
				t.Errorf("and of the first order %v", first)
			}
			s.hears() // the rest changes nothing
			s.wantTerms(2)
		})
	}
}

func TestMoneyThatIsForeignIsNotRead(t *testing.T) {
	t.Parallel()
	s := subscribed(t, nil)
	var cus struct{ ID string }
	s.call("/v1/customers", url.Values{"email": {"somebody@example.com"}}, &cus)
	s.byHand(cus.ID, url.Values{"metadata[plan_id]": {"annual-subscription"}})
	s.forget()
	for _, e := range s.news() {
		if kind := kindOf(e); strings.HasPrefix(kind, "payment_intent.succ") || kind == "charge.succeeded" || strings.HasPrefix(kind, "invoice.paid") || strings.HasPrefix(kind, "customer.subscription.") {
			s.delivered(e, "IGNORED")
		}
	}
	if asked := s.asked(); len(asked) != 0 {
		t.Errorf("Stripe was asked %v", asked)
	}
}

// byHand is a subscription that somebody makes in Stripe's dashboard.
func (s *subscriber) byHand(customer string, more url.Values) (id string) {
	s.t.Helper()
	var pm, product, price, sub struct{ ID string }
	s.call("/v1/payment_methods/pm_card_visa/attach", url.Values{"customer": {customer}}, &pm)
	s.call("/v1/products", url.Values{"name": {"Membership"}}, &product)
	form := url.Values{"currency": {"usd"}, "unit_amount": {"24900"}, "product": {product.ID}, "recurring[interval]": {"year"}}
	for _, key := range []string{"metadata[plan_id]", "lookup_key"} {
		if v := more.Get("price:" + key); v != "" {
			form.Set(key, v)
			more.Del("price:" + key)
		}
	}
	s.call("/v1/prices", form, &price)
	form = url.Values{"customer": {customer}, "items[0][price]": {price.ID}, "default_payment_method": {pm.ID}}
	for k, v := range more {
		form[k] = v
	}
	s.call("/v1/subscriptions", form, &sub)
	return sub.ID
}

func TestASubscriptionMadeByHandForAKnownCustomer(t *testing.T) {
	t.Parallel()
	for _, named := range []string{"metadata[plan_id]", "price:metadata[plan_id]", "price:lookup_key"} {
		t.Run(named, func(t *testing.T) {
			t.Parallel()
			s := &subscriber{scene: newScene(t, nil)}
			s.orders.set(func() { s.orders.has = map[string]bool{} })
			s.paid(s.scene.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
			s.news()
			s.sub = s.byHand(s.account().Customers[0].ID, url.Values{named: {"annual-subscription"}})
			for _, e := range s.events("customer.subscription.created", "invoice.paid") {
				s.delivered(e, "PROCESSED")
				if method := s.ledger(e, "resolution_method"); kindOf(e) != "invoice.paid" && method != "customer_id" {
					t.Errorf("found by %q", method)
				}
			}
			s.orders.mu.Lock()
			adopted := slices.Clone(s.orders.adopted)
			s.orders.mu.Unlock()
			if len(adopted) != 1 {
				t.Fatalf("adopted %v", adopted)
			}
			a := adopted[0]
			if a.GetPlanId() != "annual-subscription" || a.GetEmail() != "jane@example.com" || a.GetRenewsOrderId() != "" ||
				a.GetPayment().GetTerm().GetSubscriptionId() != s.sub || a.GetPayment().GetAmountMinor() != price {
				t.Errorf("adopted %v", a)
			}
			s.orderID = a.GetPayment().GetOrderId()
			s.wantStands(pb.Subscription_ACTIVE, true)
			s.passes(366 * day)
			s.hears()
			if renewals := s.orders.renewals(s.orderID); len(renewals) != 1 {
				t.Errorf("%d renewals", len(renewals))
			}
		})
	}
}

func TestASubscriptionMadeByHandThatNamesNoPlan(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{testKey: "ORPHANED", liveKey: ""} {
		s := &subscriber{scene: newScene(t, map[string]string{"STRIPE_SECRET_KEY": key})}
		s.orders.set(func() { s.orders.has = map[string]bool{} })
		s.paid(s.scene.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
		s.sub = s.byHand(s.account().Customers[0].ID, url.Values{})
		paid := s.events("invoice.paid")[0]
		if want == "" {
			s.notYet(paid)
		} else {
			s.delivered(paid, want)
		}
		if n := s.cases.count(reconciliationv1.Case_SUBSCRIPTION, "subscription/"+s.sub); n == 0 {
			t.Errorf("%s: no case", key)
		}
		// Somebody says what it is for.
		s.call("/v1/subscriptions/"+s.sub, url.Values{"metadata[plan_id]": {"annual-subscription"}}, nil)
		updated := s.events("customer.subscription.updated")
		s.delivered(updated[len(updated)-1], "PROCESSED")
		await(t, "the order", func() bool {
			s.orders.mu.Lock()
			defer s.orders.mu.Unlock()
			return slices.ContainsFunc(s.orders.adopted, func(r *ordersv1.AdoptChargeRequest) bool {
				return r.GetPayment().GetTerm().GetSubscriptionId() == s.sub
			})
		})
	}
}

// A renewal that counts as paid without money buys nothing by itself.
func TestAnInvoiceThatIsPaidWithoutACharge(t *testing.T) {
	t.Parallel()
	s := subscribed(t, nil)
	s.card("pm_card_chargeCustomerFail")
	s.passes(366 * day)
	s.hears()
	invoices := s.account().Invoices
	last := invoices[len(invoices)-1].ID
	s.call("/v1/invoices/"+last+"/pay", url.Values{"paid_out_of_band": {"true"}}, nil)
	s.hears()
	s.wantTerms(1)
	for range 2 {
		s.call("/v1/subscriptions/"+s.sub, url.Values{"metadata[x]": {"y"}}, nil)
		s.hears()
	}
	if n := s.cases.count(reconciliationv1.Case_SUBSCRIPTION, "invoice/"+last); n != 1 {
		t.Errorf("it was reported %d times", n)
	}
}

// An older invoice is paid after a newer one.
func TestAnOlderInvoiceIsPaidLate(t *testing.T) {
	t.Parallel()
	s := subscribed(t, nil)
	s.control("POST", "settings", map[string]any{"after_retries": "past_due"}, nil)
	s.card("pm_card_chargeCustomerFail")
	s.passes(366 * day)
	s.hears()
	invoices := s.account().Invoices
	old := invoices[len(invoices)-1].ID
	s.passes(30 * day)
	s.hears()
	s.card("pm_card_visa")
	s.passes(340 * day)
	s.hears()
	s.wantCharged(2)
	if n := len(s.orders.renewals(s.orderID)); n != 1 {
		t.Fatalf("%d renewals", n)
	}
	s.call("/v1/invoices/"+old+"/pay", url.Values{}, nil)
	s.hears()
	s.wantTerms(3)
}

func TestACustomerThatIsGoneAtStripe(t *testing.T) {
	t.Parallel()
	for _, heard := range []bool{true, false} {
		for _, hosted := range []bool{true, false} {
			s := &subscriber{scene: newScene(t, nil)}
			s.paid(s.scene.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
			gone := s.account().Customers[0].ID
			s.news()
			s.remove("/v1/customers/" + gone)
			if heard {
				s.hears()
			}
			r := s.scene.request(s.purchase("jane@example.com"), "pm_card_visa")
			if hosted {
				r = s.hostedRequest()
				s.paid(r, pb.Payment_REQUIRES_ACTION)
			} else {
				s.paid(r, pb.Payment_SUCCEEDED)
			}
			if was := s.text(`SELECT string_agg(DISTINCT customer_id, ' ' ORDER BY customer_id) FROM payments.payments`); len(strings.Fields(was)) != 2 || !strings.Contains(was, gone) {
				t.Errorf("heard %v, hosted %v: the payments are of %q, and one was of %s", heard, hosted, was, gone)
			}
		}
	}
}

func TestAnEventsShapeDoesNotMatter(t *testing.T) {
	t.Parallel()
	s := subscribed(t, nil)
	var e map[string]any
	if err := json.Unmarshal(s.event("invoice.paid"), &e); err != nil {
		t.Fatal(err)
	}
	object := e["data"].(map[string]any)["object"].(map[string]any)
	for name, broken := range map[string]map[string]any{
		"none":   {"subscription": nil, "lines": nil, "subscription_details": nil, "payment_intent": nil, "charge": nil},
		"lines":  {"subscription": nil, "payment_intent": nil, "charge": nil},
		"listed": {"lines": []any{1, "x"}, "parent": "x"},
	} {
		changed := map[string]any{}
		for k, v := range object {
			changed[k] = v
		}
		for k, v := range broken {
			changed[k] = v
		}
		e["id"], e["data"] = "evt_"+name, map[string]any{"object": changed}
		payload, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		s.delivered(payload, map[string]string{"none": "IGNORED", "lines": "PROCESSED", "listed": "PROCESSED"}[name])
	}
}

// Everything is told at once, each several times: one set of effects.
func TestEverythingOfASubscriptionAtOnce(t *testing.T) {
	t.Parallel()
	s, session := onThePage(t, nil)
	s.paysThere(session, "pm_card_visa")
	s.sub = s.account().Subscriptions[0].ID
	for terms := 1; terms <= 3; terms++ {
		var all sync.WaitGroup
		for _, e := range s.news() {
			for range 3 {
				all.Go(func() { s.deliverAgain(e) })
			}
		}
		all.Wait()
		s.wantTerms(terms)
		s.wantStands(pb.Subscription_ACTIVE, true)
		s.passes(366 * day)
	}
	s.wantCharged(4)
}

// Somebody makes another subscription and copies what ours says of its order.
func TestASubscriptionThatNamesAnothersOrder(t *testing.T) {
	t.Parallel()
	s := subscribed(t, nil)
	a := s.account()
	form := url.Values{}
	for k, v := range a.Subscriptions[0].Metadata {
		form.Set("metadata["+k+"]", v)
	}
	first := s.sub
	s.news()
	s.sub = s.byHand(a.Customers[0].ID, form)
	for _, e := range s.events("customer.subscription.created", "invoice.paid") {
		s.delivered(e, "QUARANTINED")
	}
	s.hears()
	if n := s.cases.count(reconciliationv1.Case_SUBSCRIPTION, "subscription/"+s.sub); n == 0 {
		t.Error("no case")
	}
	s.sub = first
	s.wantTerms(1)
	s.wantStands(pb.Subscription_ACTIVE, true)
}

// Whatever is heard of in one look: Orders hears of the paid term, then of the end,
// and with that whether the term was paid after it.
func TestThePaymentAndTheEndAreFirstHeardOfInOneLook(t *testing.T) {
	t.Parallel()
	for name, paidAfter := range map[string]bool{"paid after the end": true, "paid before it": false} {
		for _, atOnce := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := subscribed(t, nil)
				hears := func() {
					s.passes(time.Hour)
					if !atOnce {
						s.hears()
					}
				}
				s.card("pm_card_chargeCustomerFail")
				s.passes(366 * day)
				hears()
				s.card("pm_card_visa")
				steps := []func(){
					func() { s.remove("/v1/subscriptions/" + s.sub) },
					func() {
						invoices := s.account().Invoices
						s.call("/v1/invoices/"+invoices[len(invoices)-1].ID+"/pay", url.Values{}, nil)
					},
				}
				if !paidAfter {
					slices.Reverse(steps)
				}
				for _, step := range steps {
					step()
					hears()
				}
				s.hears()
				renewal := s.wantTerms(2)[0].GetPayment().GetOrderId()
				since := s.wantStands(pb.Subscription_ENDED, false).GetPaidSinceOrderIds()
				if paidAfter != slices.Equal(since, []string{renewal}) || !paidAfter && len(since) != 0 {
					t.Errorf("paid since the end: %q; the last term is %s", since, renewal)
				}
				if atOnce && s.orders.endAfter != 1 {
					t.Error("Orders heard of the end before it heard of the term")
				}
			})
		}
	}
}
