package payments_test

import (
	"context"
	"testing"
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// looking is a scene in which attempts are looked at.
func looking(t *testing.T) *scene {
	t.Helper()
	return newScene(t, map[string]string{"RESCUE_AFTER": "30s"})
}

func TestTheAttemptsOwnLookFindsTheCharge(t *testing.T) {
	t.Parallel()
	s := looking(t)
	r, _ := s.unrecorded()
	orderID := r.GetPurchase().GetOrderId()
	if got := s.text(`SELECT (next_look_at - created_at)::text FROM payments.attempts`); got != "00:00:30" {
		t.Errorf("first looked at after %s", got)
	}
	s.clock.Advance(31 * time.Second)
	await(t, "word to Orders", func() bool { return len(s.orders.calls(orderID)) > 0 })
	told := s.orders.calls(orderID)[0]
	if p := told.GetPayment(); told.GetReason() != ordersv1.AdvanceOrderRequest_RESCUE || p.GetStatus() != pb.Payment_SUCCEEDED || p.GetChargeId() == "" {
		t.Errorf("Orders was told %v", told)
	}
	if got := s.text(`SELECT concat_ws(' ', status, look_count, next_look_at IS NULL, decided_at IS NOT NULL) FROM payments.attempts`); got != "SUCCEEDED 1 t t" {
		t.Errorf("the attempt: %s", got)
	}
	for _, asked := range s.asked() {
		if asked.method != "GET" {
			t.Errorf("a look asked Stripe to %s", asked)
		}
	}
}

func TestOneLookAmongSeveralInstances(t *testing.T) {
	t.Parallel()
	s := looking(t)
	for range 3 {
		s.client(s.instance(), "orders") // serves, so it has made due what was in hand
	}
	// Declines whose answers were lost: each is one row that is due.
	const many = 12
	ends := []func(){s.fault(confirmPath, "error_after", 0, 0), s.fault("GET /v1/payment_intents/*", "error_before", 0, 503)}
	var orders []string
	for range many {
		r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
		s.paid(r, pb.Payment_UNKNOWN)
		orders = append(orders, r.GetPurchase().GetOrderId())
	}
	for _, end := range ends {
		end()
	}
	s.forget()
	// One row is locked, as by a slow worker: nobody waits for it.
	locked, err := s.owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = locked.Rollback(context.Background()) }()
	if _, err := locked.Exec(t.Context(), `SELECT FROM payments.attempts WHERE order_id = $1 FOR UPDATE`, orders[0]); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(31 * time.Second)
	for _, id := range orders[1:] {
		await(t, "word to Orders", func() bool { return len(s.orders.calls(id)) > 0 })
	}
	if n := len(s.orders.calls(orders[0])); n != 0 {
		t.Errorf("Orders was told %d times of the locked attempt", n)
	}
	if err := locked.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range orders {
		await(t, "word to Orders", func() bool { return len(s.orders.calls(id)) > 0 })
	}
	await(t, "the end of all looks", func() bool {
		return s.text(`SELECT count(*)::text FROM payments.attempts WHERE next_look_at IS NOT NULL`) == "0"
	})
	if n := s.askedCount("GET /v1/payment_intents/*"); n != many || len(s.orders.calls("")) != many {
		t.Errorf("%d intents were read, Orders was told %d times, for %d attempts", n, len(s.orders.calls("")), many)
	}
}

func TestFiveLooksWithoutAWordAreACase(t *testing.T) {
	t.Parallel()
	s := looking(t)
	end := s.fault(" /v1/payment_intents/*", "error_before", 0, 503)
	endConfirm := s.fault(confirmPath, "reset_before", 0, 0)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	s.paid(r, pb.Payment_UNKNOWN)
	cases := func() int {
		return s.cases.count(reconciliationv1.Case_UNKNOWN_PAYMENT, "order/"+r.GetPurchase().GetOrderId())
	}
	waits := []time.Duration{30 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute}
	for n, wait := range waits {
		if cases() != 0 {
			t.Fatalf("a case after %d looks", n)
		}
		s.clock.Advance(wait - time.Second)
		before := s.text(`SELECT look_count::text FROM payments.attempts`)
		s.clock.Advance(2 * time.Second)
		await(t, "a look", func() bool { return s.text(`SELECT look_count::text FROM payments.attempts`) != before })
	}
	await(t, "the case", func() bool { return cases() == 1 })
	if len(s.orders.calls("")) != 0 {
		t.Errorf("Orders was told %v", s.orders.calls(""))
	}
	// The looks go on, and end when there is a word.
	end()
	endConfirm()
	s.call("/v1/payment_intents/"+s.account().Intents[0].ID+"/cancel", nil, nil)
	s.clock.Advance(time.Hour)
	await(t, "word to Orders", func() bool { return len(s.orders.calls(r.GetPurchase().GetOrderId())) > 0 })
	if p := s.orders.calls("")[0].GetPayment(); p.GetStatus() != pb.Payment_CANCELED || cases() != 1 {
		t.Errorf("Orders was told %v, the case was reported %d times", p, cases())
	}
}

func TestFourLooksAreNoCase(t *testing.T) {
	t.Parallel()
	s := looking(t)
	s.fault(" /v1/payment_intents/*", "error_before", 0, 503)
	s.fault(confirmPath, "reset_before", 0, 0)
	fourth, fifth := s.request(s.purchase("jane@example.com"), "pm_card_visa"), s.request(s.purchase("joe@example.com"), "pm_card_visa")
	for looks, r := range map[int]*pb.PayRequest{3: fourth, 4: fifth} {
		s.paid(r, pb.Payment_UNKNOWN)
		s.exec(`UPDATE payments.attempts SET look_count = $1 WHERE id = $2`, looks, r.GetAttemptId())
	}
	s.clock.Advance(31 * time.Second)
	await(t, "both looks", func() bool { return s.text(`SELECT sum(look_count)::text FROM payments.attempts`) == "9" })
	await(t, "the case of the fifth", func() bool {
		return s.cases.count(reconciliationv1.Case_UNKNOWN_PAYMENT, "order/"+fifth.GetPurchase().GetOrderId()) == 1
	})
	s.stop()
	for r, want := range map[*pb.PayRequest]int{fourth: 0, fifth: 1} {
		if n := s.cases.count(reconciliationv1.Case_UNKNOWN_PAYMENT, "order/"+r.GetPurchase().GetOrderId()); n != want {
			t.Errorf("%d cases, want %d", n, want)
		}
	}
}

func TestWaitingForTheBuyerIsNoCase(t *testing.T) {
	t.Parallel()
	s := looking(t)
	r := s.request(s.purchase("jane@example.com"), "pm_card_authenticationRequired")
	act := s.paid(r, pb.Payment_REQUIRES_ACTION)
	for look := range 7 {
		s.clock.Advance(time.Hour + time.Minute)
		await(t, "a look", func() bool {
			return s.text(`SELECT (look_count > $1)::text FROM payments.attempts`, look) == "true"
		})
	}
	s.authenticate(act.GetPaymentIntentId(), "success")
	s.clock.Advance(time.Hour + time.Minute)
	await(t, "word to Orders", func() bool { return len(s.orders.calls(r.GetPurchase().GetOrderId())) > 0 })
	if n := s.cases.count(reconciliationv1.Case_UNKNOWN_PAYMENT, "order/"+r.GetPurchase().GetOrderId()); n != 0 {
		t.Errorf("%d cases", n)
	}
}

func TestARestartLooksAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil) // the first instance does not look
	r, _ := s.unrecorded()
	s.more = map[string]string{"RESCUE_AFTER": "30s"}
	s.instance()
	await(t, "word to Orders", func() bool { return len(s.orders.calls(r.GetPurchase().GetOrderId())) > 0 })
}

// When Orders cannot be told, Orders' own look finds out: the attempt rests,
// and what was recorded stays.
func TestOrdersAwayLosesNothing(t *testing.T) {
	t.Parallel()
	s := looking(t)
	r, _ := s.unrecorded()
	s.orders.set(func() { s.orders.down = true })
	s.clock.Advance(31 * time.Second)
	await(t, "the record", func() bool { return s.text(`SELECT status FROM payments.payments`) == "SUCCEEDED" })
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
}
