package orders_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// arrived is a charge of the order's own amount.
func (s *scene) arrived(o *ordersv1.Order, prefix string) *paymentsv1.Payment {
	return s.peers.payments.charge(o.GetId(), prefix, o.GetAmountMinor(), o.GetCurrency(), "")
}

func (s *scene) wantCases(want ...string) {
	s.t.Helper()
	if got := s.peers.cases.open(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("cases: %v, want %v", got, want)
	}
}

func TestMoneyThatArrivesForAnOrderThatWasGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		first answer
		state ordersv1.Order_State
	}{
		"failed":  {declines("card_declined", "no"), failed},
		"expired": {says(paymentsv1.Payment_CANCELED), expired},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.peers.payments.set(func(f *fakePayments) { f.onPay = c.first })
			o := s.mustPlace(purchase{}, c.state)
			got, err := s.news(o, s.arrived(o, "ch"))
			if err != nil || got.GetState() != complete || got.GetRecoveredBy() != "webhook" || got.GetPaymentError() != nil {
				t.Errorf("%v %v", got, err)
			}
			s.wantHistory(o, ">PENDING request buyer", fmt.Sprintf("PENDING>%s request buyer", c.state),
				fmt.Sprintf("%s>CHARGED webhook system", c.state), "CHARGED>COMPLETE webhook system")
			s.wantCases()
		})
		t.Run(name+", but its buyer has paid another since", func(t *testing.T) {
			s := newScene(t)
			s.peers.payments.set(func(f *fakePayments) { f.onPay = c.first })
			o := s.mustPlace(purchase{}, c.state)
			s.peers.payments.set(func(f *fakePayments) { f.onPay = nil })
			s.clock.Advance(time.Minute)
			other := s.mustPlace(purchase{email: "JANE@example.com"}, complete)
			got, err := s.news(o, s.arrived(o, "late"))
			if err != nil || got.GetState() != c.state {
				t.Errorf("%v %v", got, err)
			}
			s.wantCases("DUPLICATE_CHARGE order/" + o.GetId())
			if !s.peers.cases.says("late_"+o.GetId(), s.describe(other).GetChargeId()) {
				t.Error("the case does not name both charges")
			}
			if orders, _ := s.peers.provisioning.granted(); orders != 1 || s.peers.provisioning.grants[other.GetId()] == nil {
				t.Errorf("%d orders have access", orders)
			}
			late := &ordersv1.ChargeKeys{ChargeId: "ch_late", OrderId: o.GetId()}
			if m := s.match(late)["ch_late"]; m.GetDuplicateOfOrderId() != other.GetId() || m.GetPaidByChargeId() != "" {
				t.Errorf("matched as %v, want a duplicate of %s", m, other.GetId())
			}
			// Refunded, it needs nobody any more, and revives nothing.
			reported := s.peers.cases.reported()
			back := s.arrived(o, "late")
			back.RefundedMinor = back.GetAmountMinor()
			if got, err := s.news(o, back); err != nil || got.GetState() != c.state || s.peers.cases.reported() != reported {
				t.Errorf("after the refund: %v %v, %d reports more", got, err, s.peers.cases.reported()-reported)
			}
		})
	}
}

func TestMoneyThatIsNotWhatWasAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		minor    int64
		currency string
	}{"less": {24800, "USD"}, "more": {24901, "USD"}, "another currency": {24900, "EUR"}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			wrong := func(_ context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error) {
				return s.peers.payments.charge(p.GetOrderId(), "ch", c.minor, c.currency, attempt), nil
			}
			s.peers.payments.says(wrong)
			o := s.mustPlace(purchase{}, pending)
			s.wantCases("WRONG_CHARGE order/" + o.GetId())
			if _, calls := s.peers.provisioning.granted(); calls != 0 {
				t.Error("access was granted")
			}
			// Looking again changes nothing, and neither does its news.
			if got, err := s.news(o, s.peers.payments.charge(o.GetId(), "ch", c.minor, c.currency, "")); err != nil || got.GetState() != pending {
				t.Errorf("%v %v", got, err)
			}
			s.wantHistory(o, ">PENDING request buyer", "PENDING>PENDING request buyer")
		})
	}
}

func TestASecondChargeOnAPaidOrderIsACase(t *testing.T) {
	t.Run("complete", func(t *testing.T) {
		s := newScene(t)
		o := s.mustPlace(purchase{}, complete)
		if got, err := s.news(o, s.arrived(o, "ch")); err != nil || got.GetState() != complete { // the one we know
			t.Errorf("%v %v", got, err)
		}
		s.wantCases()
		if got, err := s.news(o, s.arrived(o, "second")); err != nil || got.GetState() != complete {
			t.Errorf("%v %v", got, err)
		}
		s.wantCases("DUPLICATE_CHARGE order/" + o.GetId())
		reported := s.peers.cases.reported()
		back := s.arrived(o, "third")
		back.RefundedMinor = back.GetAmountMinor()
		if _, err := s.news(o, back); err != nil || s.peers.cases.reported() != reported {
			t.Errorf("one that was refunded: %v, %d reports more", err, s.peers.cases.reported()-reported)
		}
	})
	t.Run("charged, access not granted yet", func(t *testing.T) {
		s := newScene(t)
		s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
		o := s.mustPlace(purchase{}, charged)
		if _, err := s.news(o, s.arrived(o, "second")); err != nil {
			t.Error(err)
		}
		s.wantCases("DUPLICATE_CHARGE order/" + o.GetId())
	})
	t.Run("refunded", func(t *testing.T) {
		s := newScene(t)
		o := s.mustPlace(purchase{}, complete)
		s.exec("UPDATE orders.orders SET state = 'REFUNDED', access_withdrawn_at = now()")
		if got, err := s.news(o, s.arrived(o, "ch")); err != nil || got.GetState() != ordersv1.Order_REFUNDED {
			t.Errorf("revived: %v %v", got, err)
		}
		s.wantCases()
		if _, err := s.news(o, s.arrived(o, "second")); err != nil {
			t.Error(err)
		}
		s.wantCases("DUPLICATE_CHARGE order/" + o.GetId())
	})
}

func TestACaseThatCannotBeOpenedIsToldToWhoBroughtTheNews(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	s.peers.cases.mu.Lock()
	s.peers.cases.err = away
	s.peers.cases.mu.Unlock()
	// Otherwise Payments would take the event for handled.
	_, err := s.news(o, s.arrived(o, "second"))
	wantError(t, "news of a second charge", err, codes.Unavailable, "AWAY")
}

func TestPaymentsCannotBeReached(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	s := newScene(t, "PAYMENTS_GRPC_ADDR="+closed.Addr().String())
	began := time.Now()
	o := s.mustPlace(purchase{}, pending)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	if a := o.GetNextAction(); a.GetType() != ordersv1.NextAction_WAIT || !a.GetBy().AsTime().Equal(s.clock.Now().Add(30*time.Second)) {
		t.Errorf("next: %v", a)
	}
	if o.GetPaymentError() != nil {
		t.Errorf("says %v, although nothing is known", o.GetPaymentError())
	}
	s.restart("PAYMENTS_GRPC_ADDR=" + s.peers.addr)
	s.mustPlace(purchase{key: o.GetReference()}, complete)
	s.wantHistory(o, ">PENDING request buyer", "PENDING>CHARGED request buyer", "CHARGED>COMPLETE request buyer")
}

func TestWhatPaymentsAnswersInsteadOfAWordOnTheMoney(t *testing.T) {
	s := newScene(t)
	for what, a := range map[string]answer{
		"an error of its own": fails(fmt.Errorf("a bug")),
		"a conflict":          fails(away),
		"nothing":             says(paymentsv1.Payment_STATUS_UNSPECIFIED),
	} {
		s.peers.payments.says(a)
		o, err := s.place(purchase{repeat: true})
		if err != nil || o.GetState() != pending || o.GetNextAction().GetType() != ordersv1.NextAction_WAIT {
			t.Errorf("%s: %v %v", what, o, err)
		}
	}
}

func TestTheWorkGoesOnWhenTheBuyerHasGone(t *testing.T) {
	s := newScene(t)
	release := make(chan struct{})
	s.peers.payments.set(func(f *fakePayments) { f.onPay = blocks(release, f.succeeded("ch")) })
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error, 1)
	key := "0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11"
	go func() { _, err := s.placeAs(ctx, purchase{key: key}); done <- err }()
	await(t, "Payments is asked", func() bool { pays, _, _ := s.peers.payments.asked(); return pays == 1 })
	leave()
	if err := <-done; err == nil {
		t.Fatal("an answer for nobody")
	}
	close(release)
	o := s.awaitState(&ordersv1.Order{Reference: key}, complete)
	s.wantHistory(o, ">PENDING request buyer", "PENDING>CHARGED request buyer", "CHARGED>COMPLETE request buyer")
}

func TestAccessCannotBeGrantedYet(t *testing.T) {
	s := newScene(t)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	o := s.mustPlace(purchase{}, charged)
	if o.GetNextAction().GetType() != ordersv1.NextAction_WAIT || o.GetNextAction().GetBy() == nil || o.GetCompletedAt() != nil || o.GetAccessUntil() != nil {
		t.Errorf("reads %v", o)
	}
	if n := s.count("SELECT count(*) FROM orders.river_job"); n != 0 {
		t.Error("a message about access that is not there")
	}
	s.mustPlace(purchase{key: o.GetReference()}, charged)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	again := s.mustPlace(purchase{key: o.GetReference()}, complete)
	if again.GetRecoveredBy() != "" {
		t.Errorf("recovered by %s", again.GetRecoveredBy())
	}
	if pays, _, _ := s.peers.payments.asked(); pays != 1 {
		t.Errorf("paid %d times", pays)
	}
}

func TestAWithdrawnGrantCompletesNothing(t *testing.T) {
	s := newScene(t)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.revoked = true })
	key := "0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11"
	_, _ = s.place(purchase{key: key})
	if got := s.get(&ordersv1.Order{Reference: key}); got.GetState() != charged {
		t.Errorf("%s", got.GetState())
	}
	if n := s.count("SELECT count(*) FROM orders.river_job"); n != 0 {
		t.Error("a message about access that was withdrawn")
	}
}

func TestTheWebhookAndTheRequestAtOnce(t *testing.T) {
	for _, instances := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d instances", instances), func(t *testing.T) {
			s := newScene(t)
			wait := make(chan struct{})
			s.peers.provisioning.set(func(f *fakeProvisioning) { f.wait = wait })
			key := "0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11"
			done := make(chan error, 1)
			go func() { _, err := s.place(purchase{key: key}); done <- err }()
			await(t, "access is asked for", func() bool { _, calls := s.peers.provisioning.granted(); return calls == 1 })
			o := s.get(&ordersv1.Order{Reference: key})
			if instances == 2 {
				s.dial, _ = s.instance(2)
			}
			told := make(chan error, 1)
			news := s.arrived(o, "ch")
			go func() { _, err := s.news(o, news); told <- err }()
			if instances == 2 {
				await(t, "both ask for access", func() bool { _, calls := s.peers.provisioning.granted(); return calls == 2 })
			}
			close(wait)
			if err := <-done; err != nil {
				t.Errorf("the request: %v", err)
			}
			if err := <-told; err != nil {
				t.Errorf("the webhook: %v", err)
			}
			if n := s.count("SELECT count(*) FROM orders.history WHERE to_state = 'COMPLETE'"); n != 1 {
				t.Errorf("completed %d times", n)
			}
			if n := s.count("SELECT count(*) FROM orders.river_job"); n != 1 {
				t.Errorf("%d messages", n)
			}
			s.wantCases()
		})
	}
}

func TestReasonsBelongToTheirCallers(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(says(paymentsv1.Payment_UNKNOWN))
	o := s.mustPlace(purchase{}, pending)
	const (
		rescue, webhook         = ordersv1.AdvanceOrderRequest_RESCUE, ordersv1.AdvanceOrderRequest_WEBHOOK
		reconciliation, support = ordersv1.AdvanceOrderRequest_RECONCILIATION, ordersv1.AdvanceOrderRequest_SUPPORT
	)
	allowed := map[string][]ordersv1.AdvanceOrderRequest_Reason{
		"payments": {rescue, webhook, reconciliation}, "reconciliation": {reconciliation}, "notifications": nil, "gateway": nil, "": nil,
		"person:viewer": nil, "person:service": nil, "person:support": {support}, "person:admin": {support},
	}
	for who, reasons := range allowed {
		may := map[ordersv1.AdvanceOrderRequest_Reason]bool{}
		for _, r := range reasons {
			may[r] = true
		}
		for _, reason := range []ordersv1.AdvanceOrderRequest_Reason{rescue, webhook, reconciliation, support} {
			ctx, caller := t.Context(), who
			if role, isPerson := strings.CutPrefix(who, "person:"); isPerson {
				ctx, caller = asPerson(ctx, role), ""
			}
			_, err := s.admin(caller).AdvanceOrder(ctx, &ordersv1.AdvanceOrderRequest{OrderId: o.GetId(), Reason: reason})
			if may[reason] != (err == nil) {
				t.Errorf("%q for the reason %s: %v", who, reason, err)
			}
		}
	}
	// Only Payments says what happened to the money.
	for _, caller := range []string{"reconciliation", "gateway"} {
		_, err := s.admin(caller).AdvanceOrder(asPerson(t.Context(), "admin"), &ordersv1.AdvanceOrderRequest{
			OrderId: o.GetId(), Reason: support, Payment: s.arrived(o, "ch")})
		wantError(t, caller, err, codes.PermissionDenied, "PERMISSION_DENIED")
	}
	if s.get(o).GetState() != pending {
		t.Error("someone moved the order")
	}
	_, err := s.admin("payments").AdvanceOrder(t.Context(), &ordersv1.AdvanceOrderRequest{OrderId: "0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11", Reason: webhook})
	wantError(t, "no such order", err, codes.NotFound, "ORDER_NOT_FOUND")

	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	if _, err := s.admin("").AdvanceOrder(asPerson(t.Context(), "support"), &ordersv1.AdvanceOrderRequest{OrderId: o.GetId(), Reason: support}); err != nil {
		t.Fatal(err)
	}
	if by := s.get(o).GetRecoveredBy(); by != "support:sam" {
		t.Errorf("recovered by %q", by)
	}
	s.wantHistory(o, ">PENDING request buyer", "PENDING>CHARGED support support:sam", "CHARGED>COMPLETE support support:sam")
}
