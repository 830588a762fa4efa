package reconciliation_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
)

// Two charges of other amounts name one paid order. Its one case names both, and is
// over when both went back: not because one did, nor because the order was refunded.
func TestWrongChargesOfOneOrderAreOneCaseUntilAllWentBack(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	first := w.charge("ch_right", old, orderID(1))
	var o *fakeOrder
	w.order(orderID(1), ordersv1.Order_COMPLETE, first, func(f *fakeOrder) { o = f })
	wrong := func(c *paymentsv1.SeenCharge) { c.Recorded, c.AmountMinor = false, 24800 }
	a := w.charge("ch_a", old.Add(time.Second), orderID(1), wrong)
	b := w.charge("ch_b", old.Add(time.Second), orderID(1), wrong)
	open := func(want int) {
		t.Helper()
		if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE state = 'OPEN' AND kind = 'WRONG_CHARGE' AND summary LIKE '%ch_a%' AND summary LIKE '%ch_b%'`); n != want {
			t.Errorf("%d open cases name both, want %d", n, want)
		}
	}
	s.sweeps()
	open(1)
	reported := s.count(`SELECT sum(reported_count) FROM reconciliation.cases`)
	s.clock.Advance(time.Minute)
	s.sweeps()
	if n := s.count(`SELECT sum(reported_count) FROM reconciliation.cases`); n != reported {
		t.Errorf("reported %d times after %d although nothing changed", n, reported)
	}

	w.set(func() {
		o.State, o.RefundedMinor, o.AccessWithdrawnAt = ordersv1.Order_REFUNDED, o.GetAmountMinor(), timestamppb.New(s.clock.Now())
		w.grants[orderID(1)] = false
	})
	s.refunds(first)
	s.sweeps()
	open(1)
	s.refunds(b)
	s.sweeps()
	open(1)
	s.refunds(a)
	s.sweeps()
	open(0)
	if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = 'WRONG_CHARGE'`); n != 1 {
		t.Errorf("%d cases", n)
	}
}

// An order has a second charge and one of another amount: two cases, of which each ends
// with its own charge.
func TestAWrongChargeHoldsNoCaseOfADuplicate(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_1", old, orderID(1)))
	second := w.charge("ch_2", old.Add(time.Second), orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	wrong := w.charge("ch_wrong", old.Add(time.Second), orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded, c.AmountMinor = false, 24800 })
	s.sweeps()
	if a, b := s.openCases("DUPLICATE_CHARGE"), s.openCases("WRONG_CHARGE"); a != 1 || b != 1 {
		t.Fatalf("%d and %d cases", a, b)
	}
	s.refunds(second)
	s.sweeps()
	if a, b := s.openCases("DUPLICATE_CHARGE"), s.openCases("WRONG_CHARGE"); a != 0 || b != 1 {
		t.Errorf("%d and %d cases are open when the second charge went back", a, b)
	}
	// An event of it says that the order was paid twice, too: that is over with it.
	if _, err := s.client(s.instance(nil), "payments").OpenCase(t.Context(), &pb.OpenCaseRequest{
		Kind: pb.Case_DUPLICATE_CHARGE, Subject: "order/" + orderID(1), Summary: "the order was paid by ch_1 and by ch_wrong",
	}); err != nil {
		t.Fatal(err)
	}
	s.sweeps()
	if n := s.openCases("DUPLICATE_CHARGE"); n != 1 {
		t.Errorf("%d cases", n)
	}
	s.refunds(wrong)
	s.sweeps()
	if a, b := s.openCases("DUPLICATE_CHARGE"), s.openCases("WRONG_CHARGE"); a != 0 || b != 0 {
		t.Errorf("%d and %d cases are open when all that was too much went back", a, b)
	}
}

// A refund that could not be made was made another way, so its case is over.
func TestAFailedRefundIsOverWhenTheMoneyWentBackAnotherWay(t *testing.T) {
	s, d := newScene(t), startDesk(t)
	dial := s.instance(d.env())
	for i, summary := range []string{
		"the buyer took the refund that was offered, and it cannot be made",
		"charge ch_1 of $249.00: the order is REFUNDED, and Stripe has refunded $0.00",
	} {
		s.orders.add(orderID(i), ordersv1.Order_COMPLETE, s.clock.Now(), nil)
		if _, err := s.client(dial, "orders").OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: pb.Case_FAILED_REFUND, Subject: "order/" + orderID(i), Summary: summary}); err != nil {
			t.Fatal(err)
		}
	}
	d.set(func() { d.charges["ch_1"] = &paymentsv1.SeenCharge{ChargeId: "ch_1", AmountMinor: 24900} })
	s.orders.add(orderID(1), ordersv1.Order_REFUNDED, s.clock.Now(), nil) // not so, Stripe says
	s.startRun(dial)
	if n := s.openCases("FAILED_REFUND"); n != 2 {
		t.Fatalf("%d cases are open although no money went back", n)
	}
	s.orders.add(orderID(0), ordersv1.Order_REFUNDED, s.clock.Now(), nil)
	d.set(func() { d.charges["ch_1"].RefundedMinor = 24900 })
	s.startRun(dial)
	if n := s.openCases("FAILED_REFUND"); n != 0 {
		t.Errorf("%d cases are open although the money went back", n)
	}
}

// A person may decide that a charge is neither given back nor gives access. From then
// on it is explained, by them, until there is something new about it.
func TestWhatAPersonDecidedAboutIsExplained(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-3*time.Hour).Truncate(time.Second)
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_right", old, orderID(1)))
	wrong := w.charge("ch_wrong", old, orderID(2), func(c *paymentsv1.SeenCharge) { c.AmountMinor = 24800 })
	w.order(orderID(2), ordersv1.Order_PENDING, wrong, func(o *fakeOrder) { o.AmountMinor, o.ChargedAt = 24900, nil })
	w.charge("ch_nobody", old.Add(time.Hour), orderID(11))
	w.charge("ch_nobody2", old.Add(2*time.Hour), orderID(12))
	w.set(func() {
		w.missing["ch_nobody"], w.missing["ch_nobody2"] = "address of its buyer", "address of its buyer"
	})
	dial := s.instance(nil)
	sweep := func() {
		t.Helper()
		s.clock.Advance(2 * time.Hour)
		s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	}
	sweep()
	decide := func(subject, why string) {
		t.Helper()
		id := s.count(`SELECT id FROM reconciliation.cases WHERE state = 'OPEN' AND subject = '` + subject + `'`)
		if _, err := s.desk(dial).ResolveCase(s.support(), &pb.ResolveCaseRequest{CaseId: int64(id), Resolution: why}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(oldest string, decided ...string) *pb.IntegrityReport {
		t.Helper()
		r := s.report(dial, time.Time{}, time.Time{})
		var got []string
		for _, d := range r.GetDecided() {
			got = append(got, d.GetChargeId()+" by "+d.GetDecidedBy()+": "+d.GetDecision())
		}
		if r.GetOldestUnserved().GetChargeId() != oldest || !slices.Equal(got, decided) || r.GetDecidedCount() != int64(len(decided)) {
			t.Errorf("the oldest unserved is %q, want %q; decided %q, want %q", r.GetOldestUnserved().GetChargeId(), oldest, got, decided)
		}
		return r
	}
	want("ch_wrong")
	decide("order/"+orderID(2), "they agreed to less for less")
	r := want("ch_nobody", "ch_wrong by sam: they agreed to less for less")
	if d := r.GetDecided()[0]; d.GetKeptMinor() != 24800 || d.GetCurrency() != "USD" || d.GetOrderId() != orderID(2) || !d.GetChargedAt().AsTime().Equal(old) || d.GetDecidedAt() == nil {
		t.Errorf("decided: %v", d)
	}
	decide("charge/ch_nobody", "a donation")
	sweep() // asked again, they are as they were
	want("ch_nobody2", "ch_wrong by sam: they agreed to less for less", "ch_nobody by sam: a donation")

	// Something new about it is not what was decided.
	w.set(func() { wrong.AmountMinor = 24700 })
	w.set(func() { w.missing["ch_nobody"] = "reference" })
	s.exec(`UPDATE reconciliation.charge_dispositions SET read_again_at = now() - interval '10 years'`)
	sweep()
	want("ch_wrong")
	// What the machine closes is nobody's decision.
	s.exec(`UPDATE reconciliation.cases SET state = 'RESOLVED', resolved_by = 'system', resolution = 'gone', resolved_at = now(), next_look_at = NULL WHERE state = 'OPEN'`)
	want("ch_wrong")
}

// What cannot be read holds its own case and no other one.
func TestAChargeThatCannotBeReadHoldsNoCaseOfAnother(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	var wrong []*paymentsv1.SeenCharge
	for i, id := range []string{"ch_bad", "ch_good"} {
		w.order(orderID(i), ordersv1.Order_COMPLETE, w.charge("ch_right_"+id, old, orderID(i)))
		wrong = append(wrong, w.charge(id, old, orderID(i), func(c *paymentsv1.SeenCharge) { c.Recorded, c.AmountMinor = false, 24800 }))
	}
	s.sweeps()
	if n := s.openCases("WRONG_CHARGE"); n != 2 {
		t.Fatalf("%d cases are open", n)
	}
	for _, c := range wrong {
		s.refunds(c)
	}
	w.set(func() { w.unreadable = map[string]bool{"ch_bad": true} })
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})
	run := s.startRun(dial)
	s.wantRun(run, pb.Run_SUCCEEDED)
	if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = 'WRONG_CHARGE' AND state = 'OPEN' AND subject = $1`, "order/"+orderID(0)); n != 1 ||
		s.openCases("WRONG_CHARGE") != 1 || run.GetErrors() != 2 || !hasLine(run, "open cases", "ch_bad") {
		t.Errorf("%d cases are open: %v", s.openCases("WRONG_CHARGE"), run.GetDetails())
	}
	w.set(func() { w.unreadable = nil })
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := s.openCases("WRONG_CHARGE"); n != 0 {
		t.Errorf("%d cases are open when all can be read", n)
	}
}

// While it is asked what became of a case, it is reported with something new: that is open.
func TestACaseThatIsReportedWhileItIsAskedAboutStaysOpen(t *testing.T) {
	s := newScene(t)
	w, dial := s.world, s.instance(nil)
	w.order(orderID(1), ordersv1.Order_REFUNDED, w.charge("ch_1", s.clock.Now().Add(-time.Hour), orderID(1), func(c *paymentsv1.SeenCharge) { c.RefundedMinor = 24900 }),
		func(o *fakeOrder) { o.RefundedMinor, o.AccessWithdrawnAt = 24900, timestamppb.New(s.clock.Now()) })
	w.movement("refund", "re_1", "ch_1", -24900, s.clock.Now().Add(-time.Minute))
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	payments := s.client(dial, "payments")
	reported := func(summary string) {
		if _, err := payments.OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: pb.Case_WRONG_CHARGE, Subject: "order/" + orderID(1), Summary: summary}); err != nil {
			t.Error(err)
		}
	}
	reported("charge ch_1 is wrong")
	asked := false
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if slices.Contains(r.GetChargeIds(), "ch_1") && !asked {
			asked = true
			reported("charge ch_2 is wrong, too")
		}
		return nil
	})
	s.startRun(dial)
	if n := s.openCases("WRONG_CHARGE"); n != 1 || !asked {
		t.Errorf("%d cases are open (asked: %t)", n, asked)
	}
}

// What the old checkout sold, and gave back at Stripe, is nothing to adopt any more.
func TestTheCaseOfAClaimedChargeClosesWithItsRefund(t *testing.T) {
	s := newScene(t)
	w, dial := s.world, s.instance(nil)
	c := w.charge("ch_old", s.clock.Now().Add(-time.Hour), "", func(c *paymentsv1.SeenCharge) { c.Owner, c.Recorded = paymentsv1.SeenCharge_CLAIMED, false })
	s.startRun(dial)
	if n := s.openCases("CLAIMED_CHARGE"); n != 1 {
		t.Fatalf("%d cases", n)
	}
	w.set(func() { c.RefundedMinor = 24900 })
	s.clock.Advance(2 * time.Minute)
	w.movement("refund", "re_1", "ch_old", -24900, s.clock.Now())
	s.clock.Advance(2 * time.Minute)
	s.startRun(dial)
	if n := s.openCases("CLAIMED_CHARGE"); n != 0 {
		t.Errorf("%d cases are open although it went back", n)
	}
}
