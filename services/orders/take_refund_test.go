package orders_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/orders/internal/order"
	"makegood.example/services/platform/apperr"

	"github.com/google/uuid"
)

// fakeRefunds is the side of Payments that gives money back: from then on every look
// shows that all of it went back.
type fakeRefunds struct {
	paymentsv1.UnimplementedPaymentsAdminServiceServer
	payments *fakePayments
}

func (f fakeRefunds) RefundPayment(_ context.Context, r *paymentsv1.RefundPaymentRequest) (*paymentsv1.Refund, error) {
	var answer func(*paymentsv1.RefundPaymentRequest) (*paymentsv1.Refund, error)
	f.payments.set(func(p *fakePayments) {
		p.refunds = append(p.refunds, proto.CloneOf(r))
		answer = p.onRefund
	})
	if answer != nil {
		return answer(r)
	}
	f.payments.wentBack()
	return &paymentsv1.Refund{RefundId: r.GetRefundId(), OrderId: r.GetOrderId(), Status: paymentsv1.Refund_SUCCEEDED}, nil
}

// wentBack makes every look show a charge that was refunded in full.
func (f *fakePayments) wentBack() {
	f.set(func(f *fakePayments) {
		f.onLook = func(_ context.Context, p *paymentsv1.Purchase, _ string) (*paymentsv1.Payment, error) {
			m := f.charge(p.GetOrderId(), "ch", p.GetAmountMinor(), p.GetCurrency(), "")
			m.RefundedMinor = p.GetAmountMinor()
			return m, nil
		}
	})
}

// stands makes every look show the charge as it was made.
func (f *fakePayments) stands() { f.set(func(p *fakePayments) { p.onLook = p.succeeded("ch") }) }

// asksFor is every refund that Payments was asked for, by id.
func (f *fakePayments) refundsAsked() (ids []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.refunds {
		ids = append(ids, r.GetRefundId())
	}
	return ids
}

// offered is an order whose buyer paid, waits, and was offered the refund.
func (s *scene) offered(email string) (o *ordersv1.Order, token string) {
	s.t.Helper()
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	o = s.mustPlace(purchase{email: email}, charged)
	await(s.t, "the refund is offered", func() bool {
		s.clock.Advance(15 * time.Second)
		return s.describe(o).GetRefundToken() != ""
	})
	s.peers.payments.stands()
	return o, s.describe(o).GetRefundToken()
}

func (s *scene) take(o *ordersv1.Order, token string) (*ordersv1.Order, error) {
	return s.orders.RefundOrder(s.t.Context(), &ordersv1.RefundOrderRequest{Reference: o.GetReference(), Token: token})
}

func TestTheRefundThatWasOfferedIsMadeOnceAndEndsTheOrder(t *testing.T) {
	s := newScene(t, looksOn)
	o, token := s.offered("")
	got, err := s.take(o, token)
	// Provisioning is away: that nothing may be granted any more is told to it later.
	if err != nil || got.GetState() != refunded || got.GetRefundAskedAt() == nil || got.GetPromise() != nil {
		t.Fatalf("%v, %v", got, err)
	}
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	s.clock.Advance(30 * time.Second)
	await(t, "the access can never be granted", func() bool { return s.describe(o).GetAccessWithdrawnAt() != nil })
	for range 2 { // the link is followed again
		if again, err := s.take(o, token); err != nil || again.GetState() != refunded {
			t.Errorf("again: %v, %v", again.GetState(), err)
		}
	}
	if ids := s.peers.payments.refundsAsked(); !slices.Equal(ids, []string{order.OfferedRefund(uuid.MustParse(o.GetId())).String()}) {
		t.Errorf("asked Payments for %v", ids)
	}
	await(t, "the mails", func() bool { return len(s.peers.notifications.sent()) == 3 })
	var kinds []string
	for _, m := range s.peers.notifications.sent() {
		kinds = append(kinds, strings.Fields(m)[0])
	}
	if want := []string{"STILL_WORKING", "REFUND_OFFER", "REFUND"}; !slices.Equal(kinds, want) {
		t.Errorf("told %v, want %v", kinds, want)
	}
}

func TestOnlyWhoWasOfferedTheRefundGetsIt(t *testing.T) {
	s := newScene(t, looksOn)
	o, token := s.offered("")
	other, _ := s.offered("joe@example.com")
	_, err := s.take(o, "a-guess")
	wantError(t, "a guess", err, codes.PermissionDenied, "REFUND_NOT_OFFERED")
	_, err = s.take(other, token)
	wantError(t, "the token of another order", err, codes.PermissionDenied, "REFUND_NOT_OFFERED")
	_, err = s.take(&ordersv1.Order{Reference: uuid.NewString()}, token)
	wantError(t, "no such order", err, codes.NotFound, "ORDER_NOT_FOUND")
	s.clock.Advance(15 * 24 * time.Hour)
	_, err = s.take(o, token)
	wantError(t, "after it has run out", err, codes.PermissionDenied, "REFUND_NOT_OFFERED")
	if d, err := s.admin("reconciliation").DescribeOrder(t.Context(), &ordersv1.DescribeOrderRequest{OrderId: o.GetId()}); err != nil || d.GetRefundToken() != "" {
		t.Errorf("the token is told to others: %v", err)
	}
	s.peers.payments.set(func(f *fakePayments) { f.onLook = nil })
	if ids := s.peers.payments.refundsAsked(); len(ids) != 0 {
		t.Errorf("asked Payments for %v", ids)
	}
}

func TestNoRefundByLinkOfWhatIsDisputedOrWentBack(t *testing.T) {
	s := newScene(t, looksOn)
	o, token := s.offered("")
	s.became(o, 0, paymentsv1.Payment_OPEN)
	_, err := s.take(o, token)
	wantError(t, "disputed", err, codes.Aborted, "INVALID_STATE")
	s.became(o, 24900, 0)
	_, err = s.take(o, token)
	wantError(t, "refunded by somebody else", err, codes.Aborted, "INVALID_STATE")
	if ids := s.peers.payments.refundsAsked(); len(ids) != 0 {
		t.Errorf("asked Payments for %v", ids)
	}
}

func TestARefundTakenTwiceAtOnceIsOne(t *testing.T) {
	s := newScene(t, looksOn)
	o, token := s.offered("")
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := s.take(o, token); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := s.get(o); got.GetState() != refunded {
		t.Errorf("the order is %s", got.GetState())
	}
	for _, id := range s.peers.payments.refundsAsked() {
		if id != order.OfferedRefund(uuid.MustParse(o.GetId())).String() {
			t.Errorf("another refund was asked for: %s", id)
		}
	}
	if n := s.count("SELECT count(*) FROM orders.history WHERE note LIKE '%took the refund%'"); n != 1 {
		t.Errorf("written %d times", n)
	}
}

// Killed after the wish was written and before Payments heard of it.
func TestARefundThatWasAskedForIsMadeByTheOrdersOwnLook(t *testing.T) {
	s := newScene(t, looksOn)
	o, token := s.offered("")
	s.peers.payments.set(func(f *fakePayments) {
		f.onRefund = func(*paymentsv1.RefundPaymentRequest) (*paymentsv1.Refund, error) { return nil, away }
	})
	got, err := s.take(o, token)
	if err != nil || got.GetState() != charged || got.GetRefundAskedAt() == nil || got.GetNextAction().GetType() != ordersv1.NextAction_WAIT {
		t.Fatalf("%v, %v", got, err)
	}
	// Access that could be given now is not: its buyer has said what they want.
	_, before := s.peers.provisioning.granted()
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	s.stop()
	s.peers.payments.set(func(f *fakePayments) { f.onRefund = nil })
	s.start()
	s.awaitState(o, refunded)
	if _, calls := s.peers.provisioning.granted(); calls != before {
		t.Error("access was asked for while the refund was on its way")
	}
	await(t, "the access can never be granted", func() bool { return s.describe(o).GetAccessWithdrawnAt() != nil })
}

// A look's grant is on its way when the refund is taken: what it gives is withdrawn, and
// nobody is told that they have access.
func TestAGrantThatWasOnItsWayIsWithdrawnWithTheRefund(t *testing.T) {
	s := newScene(t, looksOn)
	o, token := s.offered("")
	arrives := make(chan struct{})
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err, f.wait = nil, arrives })
	_, before := s.peers.provisioning.granted()
	s.clock.Advance(s.describe(o).GetNextLookAt().AsTime().Sub(s.clock.Now()))
	await(t, "the grant to be on its way", func() bool { _, calls := s.peers.provisioning.granted(); return calls > before })
	if got, err := s.take(o, token); err != nil || got.GetState() != refunded {
		t.Fatalf("%v, %v", got, err)
	}
	close(arrives)
	await(t, "the look to be over", func() bool { d := s.describe(o); return d.GetNextLookAt() == nil && d.GetAccessWithdrawnAt() != nil })
	s.stop() // what was in hand is done
	s.start()
	await(t, "the mails", func() bool { return len(s.peers.notifications.sent()) == 3 })
	if got := s.get(o); got.GetState() != refunded || got.GetAccessUntil() != nil {
		t.Errorf("it is %v", got)
	}
	if told := s.told(o); slices.Contains(told, "RECOVERY") || slices.Contains(told, "CONFIRMATION") {
		t.Errorf("told %v", told)
	}
	s.wantTaken(1, 0)
}

func TestARefundCanBeTakenAfterTheAccessCame(t *testing.T) {
	s := newScene(t, looksOn)
	o, token := s.offered("")
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	s.look(o)
	s.awaitState(o, recovered)
	s.peers.payments.set(func(f *fakePayments) {
		f.onRefund = func(r *paymentsv1.RefundPaymentRequest) (*paymentsv1.Refund, error) { // Stripe's answer is not known
			return &paymentsv1.Refund{RefundId: r.GetRefundId(), Status: paymentsv1.Refund_REQUESTED}, nil
		}
	})
	got, err := s.take(o, token)
	if err != nil || got.GetState() != recovered || got.GetNextAction().GetType() != ordersv1.NextAction_WAIT {
		t.Fatalf("%v, %v", got, err)
	}
	s.peers.payments.wentBack()
	if got := s.became(o, 24900, 0); got.GetState() != refunded {
		t.Errorf("after the news: %s", got.GetState())
	}
	s.wantTaken(1, 0)
	if d := s.describe(o); d.GetNextLookAt() != nil || d.GetAccessWithdrawnAt() == nil {
		t.Errorf("not at rest: %v", d)
	}
}

func TestARefundThatCannotBeMadeIsACaseAndTheOrderGoesOn(t *testing.T) {
	for name, answer := range map[string]func(r *paymentsv1.RefundPaymentRequest) (*paymentsv1.Refund, error){
		"Stripe refuses": func(r *paymentsv1.RefundPaymentRequest) (*paymentsv1.Refund, error) {
			return &paymentsv1.Refund{RefundId: r.GetRefundId(), Status: paymentsv1.Refund_FAILED}, nil
		},
		"a dispute came between": func(*paymentsv1.RefundPaymentRequest) (*paymentsv1.Refund, error) {
			return nil, apperr.New(codes.Aborted, "REFUND_DISPUTED", "the charge is disputed")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, looksOn)
			o, token := s.offered("")
			s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
			s.peers.payments.set(func(f *fakePayments) { f.onRefund = answer })
			got, err := s.take(o, token)
			if err != nil || got.GetState() != recovered || !got.GetRefundFailed() {
				t.Fatalf("%v, %v", got, err)
			}
			if cases := s.peers.cases.open(); !slices.Contains(cases, "FAILED_REFUND order/"+o.GetId()) {
				t.Errorf("cases: %v", cases)
			}
			if d := s.describe(o); d.GetNextLookAt() != nil {
				t.Error("it is not at rest")
			}
		})
	}
}
