package orders_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// onAPage is an order of the one-off plan whose buyer is on Stripe's page.
func (s *scene) onAPage(email string) *ordersv1.Order {
	s.t.Helper()
	s.peers.payments.says(opens())
	return s.mustPlace(purchase{key: uuid.NewString(), request: &ordersv1.PlaceOrderRequest{
		PlanId: "annual", Email: email, Name: "Jane Doe", Checkout: ordersv1.PlaceOrderRequest_HOSTED,
	}}, pending)
}

// asked is money for which Stripe's page asked; none is no charge.
func (s *scene) asked(o *ordersv1.Order, minor int64) *paymentsv1.Payment {
	p := s.peers.payments.charge(o.GetId(), "ch", minor, "USD", "")
	p.AskedMinor = minor
	if minor == 0 {
		p.PaymentIntentId, p.ChargeId = "", ""
	}
	s.peers.payments.says(func(context.Context, *paymentsv1.Purchase, string) (*paymentsv1.Payment, error) { return p, nil })
	return p
}

// notes is what the history says of an order.
func (s *scene) notes(o *ordersv1.Order) string {
	var all []string
	for _, h := range s.describe(o).GetHistory() {
		all = append(all, h.GetNote())
	}
	return strings.Join(all, "\n")
}

func TestAnOrderCostsWhatStripesPageAskedFor(t *testing.T) {
	s := newScene(t)
	o := s.onAPage("jane@example.com")
	before := s.match(&ordersv1.ChargeKeys{ChargeId: "ch_" + o.GetId(), OrderId: o.GetId()})["ch_"+o.GetId()]
	if !before.GetAmountOpen() {
		t.Errorf("matched as %v", before)
	}
	got, err := s.news(o, s.asked(o, 19920))
	if err != nil || got.GetState() != complete || got.GetAmountMinor() != 19920 || got.GetAmountDisplay() != "$199.20" {
		t.Fatalf("%v %v", got, err)
	}
	if notes := s.notes(o); !strings.Contains(notes, "$199.20") || !strings.Contains(notes, "the price is $249.00") {
		t.Errorf("the history says\n%s", notes)
	}
	m := s.match(&ordersv1.ChargeKeys{ChargeId: "ch_" + o.GetId()})["ch_"+o.GetId()]
	if m.GetAmountMinor() != 19920 || m.GetAmountOpen() {
		t.Errorf("matched as %v", m)
	}
	s.wantCases()
	back := s.asked(o, 19920)
	back.RefundedMinor = 19920
	if got, err := s.news(o, back); err != nil || got.GetState() != refunded {
		t.Errorf("refunded in full: %v %v", got.GetState(), err)
	}
	s.wantTaken(1, 0)
}

func TestAnOrderForWhichStripesPageAskedNothing(t *testing.T) {
	for name, hear := range map[string]func(*scene, *ordersv1.Order) (*ordersv1.Order, error){
		"by news": func(s *scene, o *ordersv1.Order) (*ordersv1.Order, error) { return s.news(o, s.asked(o, 0)) },
		"when it asks": func(s *scene, o *ordersv1.Order) (*ordersv1.Order, error) {
			s.asked(o, 0)
			return s.orders.ConfirmOrder(s.t.Context(), &ordersv1.ConfirmOrderRequest{Reference: o.GetReference()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			o := s.onAPage("jane@example.com")
			got, err := hear(s, o)
			if err != nil || got.GetState() != complete || got.GetAmountDisplay() != "$0.00" || got.GetChargedAt() != nil || got.GetAccessUntil() == nil {
				t.Fatalf("%v %v", got, err)
			}
			if got, err = s.news(o, s.asked(o, 0)); err != nil || got.GetState() != complete {
				t.Errorf("told again: %v %v", got, err)
			}
			s.wantCases()
			if notes := s.notes(o); !strings.Contains(notes, "asked for nothing") {
				t.Errorf("the history says\n%s", notes)
			}
			// Another one is no duplicate: there is nothing to give back.
			s.clock.Advance(11 * time.Minute)
			more := s.onAPage("jane@example.com")
			if got, err := s.news(more, s.asked(more, 0)); err != nil || got.GetState() != complete {
				t.Errorf("%v %v", got, err)
			}
			s.wantCases()
		})
	}
}

// What Stripe's page says is no excuse for what was not paid there.
func TestOnlyStripesPageAsksForAnotherAmount(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(says(paymentsv1.Payment_UNKNOWN))
	o := s.mustPlace(purchase{}, pending)
	if got, err := s.news(o, s.asked(o, 19920)); err != nil || got.GetState() != pending {
		t.Errorf("%v %v", got, err)
	}
	s.wantCases("WRONG_CHARGE order/" + o.GetId())
	paged := s.onAPage("joe@example.com")
	less := s.asked(paged, 19920)
	less.AskedMinor++
	if got, err := s.news(paged, less); err != nil || got.GetState() != pending {
		t.Errorf("%v %v", got, err)
	}
	s.wantCases("WRONG_CHARGE order/"+o.GetId(), "WRONG_CHARGE order/"+paged.GetId())
}

// A renewal may cost nothing, too.
func TestARenewalForWhichStripeAskedNothing(t *testing.T) {
	s := newScene(t)
	first := s.subscribed()
	r := s.renewal(first, 1)
	r.Payment.AmountMinor, r.Payment.ChargeId, r.Payment.PaymentIntentId = 0, "", ""
	got, err := s.admin("payments").AdoptCharge(t.Context(), r)
	if err != nil || got.GetOrder().GetState() != complete || got.GetOrder().GetAmountMinor() != 0 {
		t.Fatalf("%v %v", got, err)
	}
	s.wantCases()
}
