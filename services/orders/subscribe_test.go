package orders_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// subscribing is the purchase of the plan that renews, under a new key.
func subscribing(repeat bool) purchase {
	return purchase{key: uuid.NewString(), request: &ordersv1.PlaceOrderRequest{
		PlanId: "annual-subscription", Email: "jane@example.com", Name: "Jane Doe", AllowRepeat: repeat,
	}}
}

// term is the year of a subscription that begins so many years from now.
func (s *scene) term(years int) *paymentsv1.Term {
	start := s.clock.Now().AddDate(years, 0, 0)
	return &paymentsv1.Term{
		SubscriptionId: "sub_1", InvoiceId: "in_" + start.Format("2006"),
		PeriodStart: timestamppb.New(start), PeriodEnd: timestamppb.New(start.AddDate(1, 0, 0)),
	}
}

// opens answers with a page of Stripe's.
func opens() answer {
	return func(_ context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error) {
		return &paymentsv1.Payment{
			OrderId: p.GetOrderId(), Status: paymentsv1.Payment_REQUIRES_ACTION, AttemptId: attempt,
			RedirectUrl: "https://checkout.stripe.com/c/pay/" + p.GetOrderId(),
		}, nil
	}
}

// subscribed is an order whose buyer has paid the first year on Stripe's page.
func (s *scene) subscribed() *ordersv1.Order {
	s.t.Helper()
	s.peers.payments.says(opens())
	o := s.mustPlace(subscribing(false), pending)
	paid := s.arrived(o, "ch")
	paid.Term = s.term(0)
	got, err := s.news(o, paid)
	if err != nil || got.GetState() != complete {
		s.t.Fatalf("subscribing: %v %v", got.GetState(), err)
	}
	s.peers.payments.set(func(f *fakePayments) { f.onPay, f.onLook, f.onCancel = opens(), nil, nil })
	return got
}

func TestAPlanThatRenewsIsBoughtOnStripesPage(t *testing.T) {
	s := newScene(t)
	plans, err := s.orders.ListPlans(t.Context(), &ordersv1.ListPlansRequest{})
	if err != nil || len(plans.GetPlans()) != 2 || plans.GetPlans()[0].GetRenews() || !plans.GetPlans()[1].GetRenews() {
		t.Fatalf("the plans: %v %v", plans, err)
	}
	for _, c := range []struct {
		field string
		with  *ordersv1.PlaceOrderRequest
	}{
		{"checkout", &ordersv1.PlaceOrderRequest{Checkout: ordersv1.PlaceOrderRequest_SERVER, PaymentMethod: "pm_card_visa"}},
		{"checkout", &ordersv1.PlaceOrderRequest{Checkout: ordersv1.PlaceOrderRequest_CLIENT}},
		{"payment_method", &ordersv1.PlaceOrderRequest{PaymentMethod: "pm_card_visa"}},
		{"payment_method", &ordersv1.PlaceOrderRequest{Checkout: ordersv1.PlaceOrderRequest_HOSTED, PaymentMethod: "pm_card_visa"}},
	} {
		c.with.PlanId, c.with.Email = "annual-subscription", "jane@example.com"
		_, err := s.place(purchase{request: c.with})
		wantInvalid(t, c.with.String(), err, c.field)
	}
	o := s.subscribed()
	pay := s.peers.payments.pays[0]
	if !pay.GetHosted() || pay.GetPurchase().GetRenewsMonths() != 12 || pay.GetPurchase().GetPlanId() != "annual-subscription" {
		t.Errorf("asked to be paid as %v", pay)
	}
	want := s.term(0)
	g := s.peers.provisioning.grantOf(o.GetId())
	if g.GetSubscriptionId() != "sub_1" || !g.GetPeriodStart().AsTime().Equal(want.GetPeriodStart().AsTime()) || !g.GetPeriodEnd().AsTime().Equal(want.GetPeriodEnd().AsTime()) {
		t.Errorf("granted %v", g)
	}
	if !o.GetAccessUntil().AsTime().Equal(want.GetPeriodEnd().AsTime()) {
		t.Errorf("access until %s", o.GetAccessUntil().AsTime())
	}
	s.mustPlace(purchase{email: "joe@example.com"}, pending) // a one-off beside it, on this test's page
	if got := s.peers.payments.pays[1].GetPurchase().GetRenewsMonths(); got != 0 {
		t.Errorf("a one-off renews every %d months", got)
	}
}

func TestOnePageAtATimeForASubscription(t *testing.T) {
	s := newScene(t)
	var open, most atomic.Int32 // pages at Stripe
	s.peers.payments.set(func(f *fakePayments) {
		f.onPay = func(ctx context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error) {
			if n := open.Add(1); n > most.Load() {
				most.Store(n)
			}
			return opens()(ctx, p, attempt)
		}
		f.onCancel = func(ctx context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error) {
			open.Add(-1)
			return says(paymentsv1.Payment_CANCELED)(ctx, p, attempt)
		}
	})
	first := s.mustPlace(subscribing(false), pending)
	second := s.mustPlace(subscribing(false), pending)
	s.awaitState(first, expired)
	if s.get(second).GetNextAction().GetType() != ordersv1.NextAction_REDIRECT || most.Load() != 1 {
		t.Errorf("the second is %v; at most %d pages were open", s.get(second), most.Load())
	}
	// Both are meant: nothing is closed.
	s.mustPlace(subscribing(true), pending)
	if open.Load() != 2 {
		t.Errorf("%d pages are open", open.Load())
	}
}

// hosted is a one-off that is bought on a page of Stripe's.
func hosted() purchase {
	return purchase{request: &ordersv1.PlaceOrderRequest{PlanId: "annual", Email: "jane@example.com", Checkout: ordersv1.PlaceOrderRequest_HOSTED}}
}

// A page that the buyer left open cannot be paid beside the order that they start
// instead, wherever that one is paid.
func TestAPageThatWasLeftOpenIsClosedBeforeTheNextOrder(t *testing.T) {
	for name, next := range map[string]purchase{"on a page, too": hosted(), "here": {}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			closed := ""
			s.peers.payments.set(func(f *fakePayments) {
				f.onPay = opens()
				f.onCancel = func(ctx context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error) {
					closed = p.GetOrderId()
					return says(paymentsv1.Payment_CANCELED)(ctx, p, attempt)
				}
			})
			left := s.mustPlace(hosted(), pending)
			s.mustPlace(purchase{email: "joe@example.com"}, pending)
			if closed != "" {
				t.Error("somebody else's purchase closed it")
			}
			s.mustPlace(next, pending)
			if s.awaitState(left, expired); closed != left.GetId() {
				t.Errorf("closed: %q", closed)
			}
		})
	}
}

func TestAPageOfAOneOffThatCannotBeClosedStopsNobody(t *testing.T) {
	for name, cancel := range map[string]answer{"nobody knows": fails(away), "it is open as ever": opens()} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.peers.payments.set(func(f *fakePayments) { f.onPay, f.onCancel = opens(), cancel })
			left := s.mustPlace(hosted(), pending)
			s.mustPlace(hosted(), pending)
			s.awaitState(left, pending)
		})
	}
}

func TestAPageOfAOneOffThatTurnsOutPaidRefusesTheNext(t *testing.T) {
	s := newScene(t)
	s.peers.payments.set(func(f *fakePayments) {
		f.onPay = opens()
		f.onCancel = func(_ context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error) {
			return f.charge(p.GetOrderId(), "ch", p.GetAmountMinor(), p.GetCurrency(), attempt), nil
		}
	})
	left := s.mustPlace(hosted(), pending)
	_, err := s.place(hosted())
	wantError(t, "the next", err, codes.Aborted, "DUPLICATE_PURCHASE")
	s.awaitState(left, complete)
}

// Both are meant: nothing is closed.
func TestAPageStaysOpenBesideARepeatThatIsMeant(t *testing.T) {
	s := newScene(t)
	s.peers.payments.set(func(f *fakePayments) { f.onPay, f.onCancel = opens(), says(paymentsv1.Payment_CANCELED) })
	left := s.mustPlace(hosted(), pending)
	next := hosted()
	next.request.AllowRepeat = true
	s.mustPlace(next, pending)
	s.awaitState(left, pending)
}

func TestParallelSubscribesLeaveOneOpenPage(t *testing.T) {
	s := newScene(t)
	s.peers.payments.set(func(f *fakePayments) { f.onPay = opens() })
	left := s.mustPlace(subscribing(false), pending)
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if _, err := s.place(subscribing(false)); err != nil {
				wantError(t, "one of many", err, codes.Aborted, "DUPLICATE_PURCHASE")
			}
		})
	}
	all.Wait()
	if n := s.count("SELECT count(*) FROM orders.orders WHERE state = 'PENDING'"); n != 1 {
		t.Errorf("%d orders are open", n)
	}
	s.awaitState(left, expired)
}

func TestAPageThatTurnsOutPaidRefusesTheNext(t *testing.T) {
	for name, c := range map[string]struct {
		cancel func(s *scene) answer
		want   ordersv1.Order_State
	}{
		"paid": {func(s *scene) answer {
			return func(_ context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error) {
				paid := s.peers.payments.charge(p.GetOrderId(), "ch", p.GetAmountMinor(), p.GetCurrency(), attempt)
				paid.Term = s.term(0)
				return paid, nil
			}
		}, complete},
		"at the bank":        {func(*scene) answer { return says(paymentsv1.Payment_PROCESSING) }, pending},
		"nobody knows":       {func(*scene) answer { return fails(away) }, pending},
		"it is open as ever": {func(*scene) answer { return opens() }, pending},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.peers.payments.set(func(f *fakePayments) { f.onPay, f.onCancel = opens(), c.cancel(s) })
			left := s.mustPlace(subscribing(false), pending)
			_, err := s.place(subscribing(false))
			wantError(t, "the next", err, codes.Aborted, "DUPLICATE_PURCHASE")
			s.awaitState(left, c.want)
			if pays, _, _ := s.peers.payments.asked(); pays != 1 || s.count("SELECT count(*) FROM orders.orders") != 1 {
				t.Errorf("%d pages were asked for", pays)
			}
		})
	}
}

func TestASecondSubscriptionIsRefusedWhileTheFirstLives(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	refused := func(when string, want bool) {
		t.Helper()
		got, err := s.place(subscribing(false))
		if !want && err == nil && got.GetState() == pending {
			s.exec("UPDATE orders.orders SET state = 'EXPIRED', next_look_at = NULL WHERE id = $1", got.GetId())
			return
		}
		if !want {
			t.Errorf("%s: %v %v", when, got.GetState(), err)
			return
		}
		wantError(t, when, err, codes.Aborted, "DUPLICATE_PURCHASE")
	}
	refused("at once", true)
	s.clock.Advance(24 * time.Hour)
	refused("a day later", true)
	s.clock.Advance(366 * 24 * time.Hour)
	refused("a year later, and nothing was heard of it", false)
	s.follow(o, paymentsv1.Subscription_PAST_DUE, nil)
	refused("while Stripe still tries to charge it", true)
	s.follow(o, paymentsv1.Subscription_UNPAID, nil)
	refused("when Stripe has given up", false)
	if _, err := s.renew(o, 1); err != nil {
		t.Fatal(err)
	}
	s.follow(o, paymentsv1.Subscription_ACTIVE, nil)
	refused("renewed", true)
	s.follow(o, paymentsv1.Subscription_ENDED, nil)
	refused("right after the renewal, and ended", false)
	// Another plan, or the same one meant twice, is nobody's duplicate.
	s.follow(o, paymentsv1.Subscription_ENDED, nil)
	s.mustPlace(subscribing(true), pending)
	s.mustPlace(purchase{client: true}, pending)
}
