package orders_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// look makes an order due and waits until its look is counted and another
// service is asked for what the order needs.
func (s *scene) look(o *ordersv1.Order) {
	s.t.Helper()
	asked := func() int {
		pays, looks, cancels := s.peers.payments.asked()
		_, grants := s.peers.provisioning.granted()
		return pays + looks + cancels + grants
	}
	before, askedBefore := s.describe(o), asked()
	if before.GetNextLookAt() == nil {
		s.t.Fatalf("the order is %s and never looked at again", before.GetOrder().GetState())
	}
	if until := before.GetNextLookAt().AsTime().Sub(s.clock.Now()); until > 0 {
		s.clock.Advance(until)
	}
	if s.pulse != nil {
		s.beat()
	}
	// A look that ends the order's waiting also sets the count back.
	await(s.t, "the order is looked at", func() bool {
		d := s.describe(o)
		return asked() > askedBefore && (d.GetLookCount() != before.GetLookCount() || d.GetOrder().GetState() != before.GetOrder().GetState())
	})
	now := s.clock.Now()
	await(s.t, "what its buyer must hear by now is said", func() bool {
		return s.count(`SELECT count(*) FROM orders.orders WHERE id = $1 AND kind = 'PURCHASE' AND refund_asked_at IS NULL AND coalesce(dispute, '') <> 'LOST'
			AND (promise_by <= $2 AND (state IN ('CHARGED', 'ORPHANED') OR state = 'PENDING' AND payment_status = 'UNKNOWN')
				OR still_working_at IS NULL AND charged_at + interval '2 minutes' <= $2 AND state IN ('CHARGED', 'ORPHANED'))`, o.GetId(), now) == 0
	})
}

func TestTheRescueFinishesWhatAccessDelayed(t *testing.T) {
	s := newScene(t, looksOn)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	o := s.mustPlace(purchase{}, charged)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	s.clock.Advance(30 * time.Second)
	done := s.awaitState(o, recovered)
	if done.GetRecoveredBy() != "rescue" {
		t.Errorf("recovered by %q", done.GetRecoveredBy())
	}
	s.wantHistory(o, ">PENDING request buyer", "PENDING>CHARGED request buyer", "CHARGED>RECOVERED rescue system")
	await(t, "one message", func() bool { return len(s.peers.notifications.sent()) > 0 })
	if got, want := fmt.Sprint(s.peers.notifications.sent()), "[RECOVERY order/"+o.GetId()+"/confirmation]"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

func TestTheRescueOfACrashBeforeTheCharge(t *testing.T) {
	s := newScene(t, looksOn)
	s.peers.payments.says(fails(away))
	o := s.mustPlace(purchase{}, pending)
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	s.clock.Advance(30 * time.Second)
	// Stripe charged just now: the buyer waited for the money, not for access,
	// so nothing is apologised for; still, it was not their request.
	if done := s.awaitState(o, complete); done.GetRecoveredBy() != "rescue" {
		t.Errorf("recovered by %q", done.GetRecoveredBy())
	}
	if a := s.peers.payments.attempts(); len(a) != 1 {
		t.Errorf("%d attempts", len(a))
	}
}

func TestTwoInstancesShareTheLooks(t *testing.T) {
	const n = 40
	s := newScene(t, looksOn)
	s.serving(s.instance(2)) // so it has made due what was in hand
	s.peers.payments.says(fails(away))
	for i := range n {
		s.mustPlace(purchase{email: fmt.Sprintf("jane%d@example.com", i)}, pending)
	}
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	s.clock.Advance(30 * time.Second)
	await(t, "all are complete", func() bool { return s.count("SELECT count(*) FROM orders.orders WHERE state = 'COMPLETE'") == n })
	if pays, _, _ := s.peers.payments.asked(); pays != 2*n {
		t.Errorf("asked to pay %d times, want once by the request and once by one instance for each of %d", pays, n)
	}
	if n := s.count("SELECT count(*) FROM orders.orders WHERE recovered_by <> 'rescue'"); n != 0 {
		t.Errorf("%d by something else", n)
	}
}

func TestAWorkerThatNeverReturnsLosesOnlyTheDelay(t *testing.T) {
	s := newScene(t, looksOn)
	s.peers.payments.says(fails(away))
	o := s.mustPlace(purchase{}, pending)
	never := make(chan struct{})
	s.peers.payments.says(blocks(never, s.peers.payments.succeeded("ch")))
	s.look(o) // and the worker hangs
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	s.clock.Advance(29 * time.Second)
	if got := s.get(o).GetState(); got != pending {
		t.Fatalf("%s before the delay is over", got)
	}
	s.clock.Advance(time.Second)
	s.awaitState(o, complete)
	close(never)
}

func TestLooksBackOffAndAPromiseThatPassesMakesACase(t *testing.T) {
	s := newScene(t, looksOn, byHand)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	o := s.mustPlace(purchase{}, charged)
	// The promises of 19 minutes and of 2 hours and 19 minutes after the payment are
	// looked at when they pass.
	delays := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 3 * time.Minute, 32 * time.Minute, time.Hour, 28 * time.Minute}
	for i, want := range delays {
		s.look(o)
		d := s.describe(o)
		if d.GetLookCount() != int32(i+1) || !d.GetLastLookAt().AsTime().Equal(s.clock.Now()) {
			t.Errorf("look %d: counted %d at %s", i+1, d.GetLookCount(), d.GetLastLookAt().AsTime())
		}
		if got := d.GetNextLookAt().AsTime().Sub(s.clock.Now()); got != want {
			t.Errorf("after look %d the next is in %s, want %s", i+1, got, want)
		}
		if i == 0 { // the promise of a minute has not passed
			s.wantCases()
		} else {
			await(t, "a case", func() bool { return len(s.peers.cases.open()) > 0 })
			s.wantCases("STUCK_ORDER order/" + o.GetId())
		}
	}
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	s.look(o)
	s.awaitState(o, recovered)
}

func TestWhatWaitsForItsBuyerOrTheBankIsNoCaseAndNotStuck(t *testing.T) {
	for name, status := range map[string]paymentsv1.Payment_Status{
		"3-D Secure": paymentsv1.Payment_REQUIRES_ACTION, "the browser": paymentsv1.Payment_REQUIRES_PAYMENT_METHOD, "the bank": paymentsv1.Payment_PROCESSING,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, looksOn, byHand)
			s.peers.payments.says(says(status))
			o := s.mustPlace(purchase{}, pending)
			s.exec("UPDATE orders.orders SET look_count = 10")
			for range 2 {
				s.look(o)
			}
			s.wantCases()
			// Looked at just now, it is not listed; when nobody looked, the sweep does,
			// and knows that it is not stuck as far as was heard.
			if stuck := s.stuck(s.clock.Now().Add(-time.Minute), 0, ""); len(stuck.GetOrders()) != 0 {
				t.Errorf("listed as stuck: %v", stuck)
			}
			s.exec("UPDATE orders.orders SET last_look_at = last_look_at - interval '1 hour', last_progress_at = last_progress_at - interval '1 hour'")
			if stuck := s.stuck(s.clock.Now().Add(-time.Minute), 0, ""); len(stuck.GetOrders()) != 1 || !stuck.GetOrders()[0].GetWaits() {
				t.Errorf("listed as %v", stuck)
			}
			if pays, _, cancels := s.peers.payments.asked(); pays != 1 || cancels != 0 {
				t.Errorf("paid %d times, canceled %d times", pays, cancels)
			}
		})
	}
}

func TestTheBankMayTakeWeeks(t *testing.T) {
	s := newScene(t, looksOn, byHand)
	s.peers.payments.says(says(paymentsv1.Payment_PROCESSING))
	o := s.mustPlace(purchase{}, pending)
	for range 3 {
		s.clock.Advance(10 * 24 * time.Hour)
		s.look(o)
	}
	if _, _, cancels := s.peers.payments.asked(); cancels != 0 || s.get(o).GetState() != pending {
		t.Errorf("canceled %d times, now %s", cancels, s.get(o).GetState())
	}
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	s.look(o)
	s.awaitState(o, complete) // lateness counts from Stripe's success
}

func TestNobodyIsChargedWhoHasLeft(t *testing.T) {
	s := newScene(t, looksOn)
	s.peers.payments.says(fails(away))
	o := s.mustPlace(purchase{}, pending)
	s.exec("UPDATE orders.orders SET next_look_at = next_look_at + interval '10 minutes'") // Orders was down
	s.peers.payments.set(func(f *fakePayments) { f.onPay, f.onCancel = f.succeeded("ch"), nil })
	s.clock.Advance(10*time.Minute + 30*time.Second)
	done := s.awaitState(o, expired)
	if done.GetPaymentError().GetCode() != "not_charged" || done.GetNextAction().GetType() != ordersv1.NextAction_NONE {
		t.Errorf("reads %v", done)
	}
	if pays, _, cancels := s.peers.payments.asked(); pays != 1 || cancels != 1 {
		t.Errorf("paid %d times, canceled %d times", pays, cancels)
	}
	await(t, "they are told", func() bool { return len(s.peers.notifications.sent()) > 0 })
	if got, want := fmt.Sprint(s.peers.notifications.sent()), "[PAYMENT_FAILED order/"+o.GetId()+"/not-charged]"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	s.wantHistory(o, ">PENDING request buyer", "PENDING>EXPIRED rescue system")
	if orders, _ := s.peers.provisioning.granted(); orders != 0 {
		t.Error("access was granted")
	}
}

func TestGivenUpTooLateBecauseItWasPaid(t *testing.T) {
	s := newScene(t, looksOn)
	s.peers.payments.says(fails(away))
	o := s.mustPlace(purchase{}, pending)
	charge := s.peers.payments.succeeded("ch") // Stripe charged; only the answer was lost
	s.peers.payments.set(func(f *fakePayments) { f.onCancel = charge })
	s.exec("UPDATE orders.orders SET next_look_at = next_look_at + interval '10 minutes'")
	s.clock.Advance(10*time.Minute + 30*time.Second)
	if done := s.awaitState(o, complete); done.GetRecoveredBy() != "rescue" {
		t.Errorf("recovered by %q", done.GetRecoveredBy())
	}
}

func TestUnknownNeverDecaysToNotCharged(t *testing.T) {
	s := newScene(t, looksOn, byHand)
	s.peers.payments.says(says(paymentsv1.Payment_UNKNOWN))
	o := s.mustPlace(purchase{}, pending)
	for range 4 {
		looks := s.describe(o).GetLookCount()
		s.clock.Advance(48 * time.Hour)
		if s.beat(); s.describe(o).GetLookCount() == looks {
			t.Error("the order is not looked at")
		}
	}
	if got := s.get(o); got.GetState() != pending || got.GetPaymentError() != nil || got.GetNextAction().GetType() != ordersv1.NextAction_WAIT {
		t.Errorf("reads %v", got)
	}
	if pays, _, _ := s.peers.payments.asked(); pays != 1 {
		t.Errorf("paid %d times", pays)
	}
}

func TestAnAbandonedOrderExpires(t *testing.T) {
	for name, c := range map[string]struct {
		client   bool
		messages int
	}{"confirmed here": {false, 1}, "confirmed by the browser": {true, 0}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, looksOn, byHand)
			s.peers.payments.says(says(paymentsv1.Payment_REQUIRES_ACTION))
			o := s.mustPlace(purchase{client: c.client}, pending)
			s.peers.payments.set(func(f *fakePayments) { f.onCancel = nil })
			s.clock.Advance(24*time.Hour - time.Second)
			s.look(o)
			if got := s.get(o).GetState(); got != pending {
				t.Fatalf("%s before its time", got)
			}
			s.clock.Advance(time.Second)
			s.look(o)
			s.awaitState(o, expired)
			if n := s.count("SELECT count(*) FROM orders.river_job WHERE args->>'message_kind' = 'PAYMENT_FAILED'"); n != c.messages {
				t.Errorf("%d messages", n)
			}
		})
	}
}

func TestARepeatedKeyMeansTheBuyerIsHereAgain(t *testing.T) {
	s := newScene(t, looksOn)
	s.peers.payments.says(says(paymentsv1.Payment_UNKNOWN))
	o := s.mustPlace(purchase{}, pending)
	s.exec("UPDATE orders.orders SET next_look_at = $1", s.clock.Now().Add(8*time.Minute))
	s.clock.Advance(4 * time.Minute)
	again := s.clock.Now()
	s.mustPlace(purchase{key: o.GetReference()}, pending)
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	s.clock.Advance(4 * time.Minute)
	s.awaitState(o, complete)
	pays, _, cancels := s.peers.payments.asked()
	if by := s.peers.payments.pays[pays-1].GetChargeBy().AsTime(); pays != 3 || cancels != 0 || !by.Equal(again.Add(5*time.Minute)) {
		t.Errorf("paid %d times, canceled %d times, last until %s, want until %s", pays, cancels, by, again.Add(5*time.Minute))
	}
}

func TestTheBuyerWhoPaidAnotherIsNotChargedForTheFirst(t *testing.T) {
	s := newScene(t, looksOn)
	s.peers.payments.says(fails(away))
	first := s.mustPlace(purchase{}, pending)
	s.peers.payments.set(func(f *fakePayments) { f.onPay, f.onCancel = nil, nil })
	s.clock.Advance(time.Second)
	s.mustPlace(purchase{repeat: true}, complete)
	s.clock.Advance(30 * time.Second)
	if done := s.awaitState(first, expired); done.GetPaymentError().GetCode() != "not_charged" {
		t.Errorf("reads %v", done)
	}
	if pays, _, _ := s.peers.payments.asked(); pays != 2 {
		t.Errorf("paid %d times", pays)
	}
}

func TestWhatWasInHandIsLookedAtAfterARestart(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(fails(away))
	crashed := s.mustPlace(purchase{}, pending)
	s.peers.payments.says(says(paymentsv1.Payment_REQUIRES_ACTION))
	waiting := s.mustPlace(purchase{repeat: true, email: "john@example.com"}, pending)
	due := s.describe(waiting).GetNextLookAt().AsTime()
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	s.restart(looksOn) // and the clock stands still
	s.awaitState(crashed, complete)
	if d := s.describe(waiting); d.GetOrder().GetState() != pending || !d.GetNextLookAt().AsTime().Equal(due) {
		t.Errorf("what waits for its buyer: %v", d)
	}
}

func TestTheKillSwitch(t *testing.T) {
	s := newScene(t, looksOn)
	turn := func(paused bool) {
		t.Helper()
		r, err := s.admin("").SetCharging(asPerson(t.Context(), "admin"), &ordersv1.SetChargingRequest{Paused: paused, Reason: "a test"})
		if err != nil || r.GetActor() != "ada" || r.GetPaused() != paused || !r.GetAt().AsTime().Equal(s.clock.Now()) {
			t.Fatalf("%v %v", r, err)
		}
		now, err := s.admin("").GetCharging(asPerson(t.Context(), "admin"), &ordersv1.GetChargingRequest{})
		if err != nil || now.GetPaused() != paused || now.GetActor() != "ada" || now.GetReason() != "a test" || !now.GetAt().AsTime().Equal(s.clock.Now()) {
			t.Fatalf("read again: %v %v", now, err)
		}
	}
	if never, err := s.admin("").GetCharging(asPerson(t.Context(), "admin"), &ordersv1.GetChargingRequest{}); err != nil || never.GetPaused() || never.GetAt() != nil {
		t.Fatalf("before anybody turned it: %v %v", never, err)
	}
	s.peers.payments.says(fails(away))
	inWindow := s.mustPlace(purchase{email: "inwindow@example.com"}, pending)
	s.peers.payments.says(declines("card_declined", "no"))
	declined := s.mustPlace(purchase{email: "declined@example.com"}, failed)
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	paid := s.mustPlace(purchase{email: "paid@example.com"}, charged)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	s.peers.payments.set(func(f *fakePayments) { f.onLook, f.onCancel = says(paymentsv1.Payment_UNKNOWN), nil })

	turn(true)
	_, err := s.place(purchase{email: "new@example.com"})
	wantError(t, "a new order", err, codes.Unavailable, "CHARGES_PAUSED")
	_, err = s.pay(declined, uuid.NewString(), "pm_card_visa")
	wantError(t, "another card", err, codes.Unavailable, "CHARGES_PAUSED")
	if n := s.count("SELECT count(*) FROM orders.orders"); n != 3 {
		t.Errorf("%d orders", n)
	}
	pays, _, _ := s.peers.payments.asked()
	s.clock.Advance(30 * time.Second)
	s.awaitState(paid, recovered) // recovery goes on
	await(t, "Stripe is read", func() bool { _, looks, _ := s.peers.payments.asked(); return looks > 0 })
	s.mustPlace(purchase{key: inWindow.GetReference(), email: "inwindow@example.com"}, pending) // its buyer tries again
	if now, _, cancels := s.peers.payments.asked(); now != pays || cancels != 0 {
		t.Errorf("while paused: paid %d times, canceled %d times", now-pays, cancels)
	}

	turn(false)
	s.mustPlace(purchase{key: inWindow.GetReference(), email: "inwindow@example.com"}, complete)
	s.mustPlace(purchase{email: "new@example.com"}, complete)
	if n := s.count("SELECT count(*) FROM orders.charging_switch WHERE actor = 'ada' AND reason = 'a test'"); n != 2 {
		t.Errorf("%d turns of the switch are recorded", n)
	}
	for who, ctx := range map[string]func() error{
		"support": func() error {
			_, err := s.admin("").SetCharging(asPerson(t.Context(), "support"), &ordersv1.SetChargingRequest{Paused: true, Reason: "r"})
			return err
		},
		"service": func() error {
			_, err := s.admin("").SetCharging(asPerson(t.Context(), "service"), &ordersv1.SetChargingRequest{Paused: true, Reason: "r"})
			return err
		},
	} {
		wantError(t, who, ctx(), codes.PermissionDenied, "PERMISSION_DENIED")
	}
	for _, caller := range []string{"payments", "reconciliation", "gateway", ""} {
		_, err := s.admin(caller).SetCharging(t.Context(), &ordersv1.SetChargingRequest{Paused: true, Reason: "r"})
		if err == nil {
			t.Errorf("%q turned the switch without an admin", caller)
		}
	}
}

func TestALockedOrderHoldsUpNoOther(t *testing.T) {
	s := newScene(t, looksOn)
	s.peers.payments.says(fails(away))
	locked := s.mustPlace(purchase{email: "jane@example.com"}, pending)
	free := s.mustPlace(purchase{email: "john@example.com"}, pending)
	tx, err := s.owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), "SELECT id FROM orders.orders WHERE id = $1 FOR UPDATE", locked.GetId()); err != nil {
		t.Fatal(err)
	}
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	s.clock.Advance(30 * time.Second)
	s.awaitState(free, complete)
	if got := s.get(locked).GetState(); got != pending {
		t.Errorf("the locked one is %s", got)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.awaitState(locked, complete)
}
