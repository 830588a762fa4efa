package payments_test

import (
	"net/url"
	"testing"
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// coupons are the settings under which Stripe's page takes promotion codes.
var coupons = map[string]string{"CHECKOUT_PROMOTION_CODES": "on"}

const discounted = price * 80 / 100

// redeemsThere is the buyer on Stripe's page, with a promotion code.
func (s *scene) redeemsThere(session, code string) {
	s.t.Helper()
	s.control("POST", "checkout/"+session+"/complete", map[string]any{"payment_method": "pm_card_visa", "promotion_code": code}, nil)
}

// wantAsked checks what is known of a payment that Stripe's page asked for.
func wantAsked(t *testing.T, p *pb.Payment, amount int64) {
	t.Helper()
	if p.GetStatus() != pb.Payment_SUCCEEDED || p.GetAmountMinor() != amount || p.GetAskedMinor() != amount || p.GetCurrency() != "USD" ||
		(p.GetChargeId() == "") != (amount == 0) || p.GetChargedAt() == nil {
		t.Errorf("known as %v, want %d", p, amount)
	}
}

// What Stripe's page asked for is what must have been charged, however it is
// heard of.
func TestStripesPageAsksForLess(t *testing.T) {
	t.Parallel()
	for name, hear := range map[string]func(*scene, *pb.PayRequest) *pb.Payment{
		"by a look": func(s *scene, r *pb.PayRequest) *pb.Payment { return s.look(r.GetPurchase(), pb.Payment_SUCCEEDED) },
		"by the page's event": func(s *scene, r *pb.PayRequest) *pb.Payment {
			s.delivered(s.event(completeEvent), "PROCESSED")
			return s.lastTold(r.GetPurchase().GetOrderId())
		},
		"by the intent's event": func(s *scene, r *pb.PayRequest) *pb.Payment {
			s.delivered(s.event("payment_intent.succeeded"), "PROCESSED")
			return s.lastTold(r.GetPurchase().GetOrderId())
		},
		"when all was lost here": func(s *scene, r *pb.PayRequest) *pb.Payment {
			s.loseRecords(`DELETE FROM payments.customers`)
			s.restored(s.account().Charges[0].ID)
			return s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
		},
		"when all was lost here, and the order looks": func(s *scene, r *pb.PayRequest) *pb.Payment {
			s.loseRecords(`DELETE FROM payments.customers`)
			return s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, coupons)
			r, session := s.hosted()
			s.redeemsThere(session, "SAVE20")
			charge := s.account().Charges[0].ID
			s.wantOwner(s.seenOne(charge), pb.SeenCharge_OURS, r.GetPurchase().GetOrderId(), "")
			wantAsked(t, hear(s, r), discounted)
			s.wantOwner(s.seenOne(charge), pb.SeenCharge_OURS, r.GetPurchase().GetOrderId(), "")
			s.wantCharged(1)
		})
	}
}

// A charge of our intent for another amount than the page's is still doubted.
func TestAnotherAmountThanStripesPageAskedFor(t *testing.T) {
	t.Parallel()
	s := newScene(t, coupons)
	r, session := s.hosted()
	s.redeemsThere(session, "SAVE20")
	p := s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	s.exec(`UPDATE payments.payments SET asked_minor = asked_minor + 1`)
	s.wantOwner(s.seenOne(p.GetChargeId()), pb.SeenCharge_UNCLEAR, r.GetPurchase().GetOrderId(), "")
}

// Where Stripe asks for nothing the order is paid, without a charge.
func TestStripesPageAsksForNothing(t *testing.T) {
	t.Parallel()
	for name, hear := range map[string]func(*scene, *pb.PayRequest) *pb.Payment{
		"by a look": func(s *scene, r *pb.PayRequest) *pb.Payment { return s.look(r.GetPurchase(), pb.Payment_SUCCEEDED) },
		"by the page's event": func(s *scene, r *pb.PayRequest) *pb.Payment {
			s.delivered(s.event(completeEvent), "PROCESSED")
			return s.lastTold(r.GetPurchase().GetOrderId())
		},
		"when all was lost here": func(s *scene, r *pb.PayRequest) *pb.Payment {
			s.loseRecords(`DELETE FROM payments.customers`)
			return s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, coupons)
			r, session := s.hosted()
			s.redeemsThere(session, "SAVE100")
			wantAsked(t, hear(s, r), 0)
			wantAsked(t, s.cancel(r, pb.Payment_SUCCEEDED), 0)
			s.wantCharged(0)
			if n := s.cases.count(reconciliationv1.Case_UNKNOWN_PAYMENT, "order/"+r.GetPurchase().GetOrderId()); n != 0 {
				t.Errorf("%d cases", n)
			}
		})
	}
}

// The terms of a subscription cost what their invoices asked for: less, once or
// always, or nothing at all.
func TestWhatASubscriptionsInvoicesAskFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code          string
		credit        int64 // what the customer has before
		first, second int64
	}{
		"less, once":        {code: "SAVE20", first: discounted, second: price},
		"less, always":      {code: "ALWAYS20", first: discounted, second: discounted},
		"nothing, once":     {code: "SAVE100", first: 0, second: price},
		"nothing, ever":     {code: "ALWAYS100", first: 0, second: 0},
		"a part is credit":  {credit: 5000, first: price - 5000, second: price},
		"credit is enough":  {credit: price, first: 0, second: price},
		"credit for longer": {credit: price + 900, first: 0, second: price - 900},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, session := onThePage(t, coupons)
			if c.credit > 0 {
				s.call("/v1/customers/"+s.account().Customers[0].ID, url.Values{"balance": {"-" + itoa(int(c.credit))}}, nil)
			}
			s.redeemsThere(session, c.code)
			s.sub = s.account().Subscriptions[0].ID
			s.hears()
			wantAsked(t, s.lastTold(s.orderID), c.first)
			s.passes(366 * day)
			s.hears()
			s.passes(2 * time.Hour)
			s.hears()
			renewals := s.orders.renewals(s.orderID)
			if len(renewals) != 1 {
				t.Fatalf("%d renewals", len(renewals))
			}
			wantAsked(t, renewals[0].GetPayment(), c.second)
			if n := s.text(`SELECT count(*)::text FROM payments.payments WHERE subscription_id = $1`, s.sub); n != "2" {
				t.Errorf("%s payments", n)
			}
			for _, inv := range s.account().Invoices {
				if n := s.cases.count(reconciliationv1.Case_SUBSCRIPTION, "invoice/"+inv.ID); n != 0 {
					t.Errorf("%d cases about %s", n, inv.ID)
				}
			}
		})
	}
}

// Money that is not what the order asked for is processed once a person has it.
func TestMoneyThatAPersonHas(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.paid(s.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	s.orders.set(func() { s.orders.state = ordersv1.Order_PENDING })
	s.notYet(s.event("payment_intent.succeeded"))
	s.orders.set(func() { s.orders.held = true })
	for _, kind := range []string{"payment_intent.succeeded", "charge.succeeded"} {
		s.delivered(s.event(kind), "PROCESSED")
	}
}
