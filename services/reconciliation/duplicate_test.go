package reconciliation_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
)

// duplicates are the summaries of the open cases about second charges.
func (s *scene) duplicates() (summaries []string) {
	s.t.Helper()
	rows, err := s.owner.Query(s.t.Context(), `SELECT summary FROM reconciliation.cases WHERE kind = 'DUPLICATE_CHARGE' AND state = 'OPEN' ORDER BY id`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var summary string
		if err := rows.Scan(&summary); err != nil {
			s.t.Fatal(err)
		}
		summaries = append(summaries, summary)
	}
	return summaries
}

// wantDuplicates: so many cases are open, and each says all of the parts.
func (s *scene) wantDuplicates(n int, parts ...string) {
	s.t.Helper()
	got := s.duplicates()
	if len(got) != n {
		s.t.Errorf("%d open cases, want %d: %q", len(got), n, got)
	}
	for _, summary := range got {
		for _, part := range parts {
			if !strings.Contains(summary, part) {
				s.t.Errorf("the case does not say %q: %s", part, summary)
			}
		}
	}
}

// refunds gives all of a charge back at Stripe, some time later.
func (s *scene) refunds(c *paymentsv1.SeenCharge) {
	s.world.set(func() { c.RefundedMinor = c.GetAmountMinor() })
	s.clock.Advance(2 * time.Hour) // no list shows the charge any more
}

func (s *scene) sweeps() {
	s.t.Helper()
	s.wantRun(s.startRun(s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})), pb.Run_SUCCEEDED)
}

func TestASecondChargeOfAnOrderIsACaseUntilItWentBack(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_1", old, orderID(1)))
	unrecorded := func(c *paymentsv1.SeenCharge) { c.Recorded = false }
	second := w.charge("ch_2", old.Add(time.Second), orderID(1), unrecorded)
	third := w.charge("ch_3", old.Add(2*time.Second), orderID(1), unrecorded)
	s.sweeps()
	s.wantDisposition("ch_2", "DUPLICATE")
	s.wantDisposition("ch_3", "DUPLICATE")
	s.wantDuplicates(1, "ch_1", "$249.00", "RefundPayment", orderID(1), `"charge_id": "ch_2"`, `"charge_id": "ch_3"`)
	// A late event reports it with less: what is to be done is still said.
	if _, err := s.client(s.instance(nil), "orders").OpenCase(t.Context(), &pb.OpenCaseRequest{
		Kind: pb.Case_DUPLICATE_CHARGE, Subject: "order/" + orderID(1), Summary: "the order was paid by ch_1; ch_2 arrived too",
	}); err != nil {
		t.Fatal(err)
	}
	s.sweeps()
	s.wantDuplicates(1, `"charge_id": "ch_2"`, `"charge_id": "ch_3"`)

	s.refunds(third)
	s.sweeps()
	s.wantDisposition("ch_3", "REFUNDED")
	s.wantDuplicates(1) // one more is left

	s.refunds(second)
	s.sweeps()
	s.wantDuplicates(0)
	s.wantDisposition("ch_1", "MATCHED")
	if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE resolved_by = 'system' AND resolution LIKE '%was refunded%'`); n != 1 {
		t.Errorf("%d cases closed by themselves", n)
	}
}

// The wrong one of two goes back: the buyer has neither access nor all of the money,
// and that is not the end of it.
func TestTheFirstOfTwoChargesIsRefunded(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	first := w.charge("ch_1", old, orderID(1))
	var o *fakeOrder
	w.order(orderID(1), ordersv1.Order_COMPLETE, first, func(f *fakeOrder) { o = f })
	second := w.charge("ch_2", old.Add(time.Second), orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	s.sweeps()
	s.wantDuplicates(1, "ch_1", "ch_2")

	w.set(func() {
		o.State, o.RefundedMinor, o.AccessWithdrawnAt = ordersv1.Order_REFUNDED, o.GetAmountMinor(), timestamppb.New(s.clock.Now())
		w.grants[orderID(1)] = false
	})
	s.refunds(first)
	s.sweeps()
	s.wantDisposition("ch_2", "QUARANTINED")
	s.wantDuplicates(1, "neither access nor all of the money", `"charge_id": "ch_2"`)

	s.refunds(second)
	s.sweeps()
	s.wantDuplicates(0)
}

func TestAnOrderThatWasGivenUpIsPaidAfterItsBuyerPaidAnother(t *testing.T) {
	for _, state := range []ordersv1.Order_State{ordersv1.Order_EXPIRED, ordersv1.Order_FAILED} {
		t.Run(state.String(), func(t *testing.T) {
			s := newScene(t)
			w, old := s.world, s.clock.Now().Add(-time.Hour)
			w.order(orderID(2), ordersv1.Order_COMPLETE, w.charge("ch_other", old, orderID(2)))
			late := w.charge("ch_late", old.Add(time.Minute), orderID(1))
			w.order(orderID(1), state, late, func(o *fakeOrder) { o.DuplicateOfOrderId = orderID(2) })
			s.sweeps()
			s.wantDisposition("ch_late", "DUPLICATE")
			s.wantDisposition("ch_other", "MATCHED")
			s.wantDuplicates(1, "given up as "+state.String(), "ch_late (pi_ch_late, $249.00)", "ch_other ($249.00)", `"order_id": "`+orderID(1)+`", "charge_id": "ch_late"`)
			w.set(func() {
				if w.advanced[orderID(1)] != 0 {
					t.Error("the order that was given up was advanced")
				}
			})
			s.refunds(late)
			s.sweeps()
			s.wantDisposition("ch_late", "REFUNDED")
			s.wantDuplicates(0)
		})
	}
}

// A charge of ours whose order is paid by another intent of its own cannot be written
// down anywhere: it is asked about once, and not tried at every run.
func TestAChargeThatNamesAnOrderWithAnotherIntentIsACase(t *testing.T) {
	s := newScene(t)
	w := s.world
	c := w.charge("ch_1", s.clock.Now().Add(-time.Hour), orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	w.order(orderID(1), ordersv1.Order_PENDING, c, func(o *fakeOrder) { o.intent = "pi_another" })
	w.set(func() { w.missing["ch_1"] = "order of its own: its order has the intent pi_another" })
	s.sweeps()
	s.wantDisposition("ch_1", "QUARANTINED")
	if n := s.openCases("UNCLEAR_EVENT"); n != 1 {
		t.Errorf("%d cases", n)
	}
	s.clock.Advance(time.Minute)
	s.sweeps()
	if n := s.count(`SELECT sum(reported_count) FROM reconciliation.cases`); n != 1 || s.count(`SELECT sum(errors) FROM reconciliation.runs`) != 0 {
		t.Errorf("it was reported %d times", n)
	}
	// Its order is paid by its own intent after all: now it is a second charge.
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_own", s.clock.Now().Add(-time.Minute), orderID(1), func(c *paymentsv1.SeenCharge) { c.PaymentIntentId = "pi_another" }))
	s.clock.Advance(2 * time.Hour)
	s.sweeps()
	s.wantDisposition("ch_1", "DUPLICATE")
	s.wantDuplicates(1, "ch_own", "ch_1")
	if n := s.openCases("UNCLEAR_EVENT"); n != 0 {
		t.Errorf("the case that was replaced is still open")
	}
}

// The bank gives one of two payments back: nothing is left to be refunded.
func TestADuplicateThatIsLostToTheBankIsNoCaseAnyMore(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_1", old, orderID(1)))
	var o *fakeOrder
	second := w.charge("ch_2", old.Add(time.Minute), orderID(2))
	w.order(orderID(2), ordersv1.Order_COMPLETE, second, func(f *fakeOrder) { o, f.DuplicateOfOrderId = f, orderID(1) })
	s.sweeps()
	s.wantDuplicates(1, "ch_1", "ch_2", "RefundPayment")
	w.set(func() { second.Disputed, o.Dispute = true, paymentsv1.Payment_OPEN })
	s.sweeps()
	s.wantDuplicates(1, "ch_1", "ch_2", "must not be refunded")
	w.set(func() { w.disputes = map[string][]paymentsv1.Payment_Dispute{"ch_2": {paymentsv1.Payment_OPEN}} })
	s.sweeps()
	s.wantDuplicates(1, "ch_1", "ch_2") // the bank has not decided
	w.set(func() {
		w.disputes = nil
		o.Dispute, o.AccessWithdrawnAt = paymentsv1.Payment_LOST, timestamppb.New(s.clock.Now())
		w.grants[orderID(2)] = false
	})
	s.sweeps()
	s.wantDisposition("ch_2", "MATCHED")
	s.wantDuplicates(1) // as long as Stripe cannot be asked for how much
	w.set(func() {
		w.disputes = map[string][]paymentsv1.Payment_Dispute{"ch_2": {paymentsv1.Payment_LOST}}
		w.undisputed = map[string]int64{"ch_2": 900}
	})
	s.sweeps()
	s.wantDuplicates(1) // nine dollars of it are still here
	w.set(func() { w.undisputed = nil })
	s.sweeps()
	s.wantDuplicates(0)
}

// Two that stand are compared again and are not seen as a pair any more, as after the
// database of Orders was restored: the money of both is still here.
func TestTwoChargesThatStandAreACaseHoweverTheyAreComparedLater(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_1", old, orderID(1)))
	var o *fakeOrder
	second := w.charge("ch_2", old.Add(time.Minute), orderID(2))
	w.order(orderID(2), ordersv1.Order_COMPLETE, second, func(f *fakeOrder) { o, f.DuplicateOfOrderId = f, orderID(1) })
	s.sweeps()
	s.wantDisposition("ch_2", "DUPLICATE")
	w.set(func() { o.DuplicateOfOrderId, w.disputes = "", map[string][]paymentsv1.Payment_Dispute{} })
	s.sweeps()
	s.wantDisposition("ch_1", "MATCHED")
	s.wantDisposition("ch_2", "MATCHED")
	s.wantDuplicates(1, "ch_1", "ch_2", "RefundPayment")
	s.refunds(second)
	s.sweeps()
	s.wantDuplicates(0)
}

// Of three that a case names, one went back: two still stand.
func TestOneOfThreeChargesIsNotEnough(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	w.set(func() { w.disputes = map[string][]paymentsv1.Payment_Dispute{} })
	var all []*paymentsv1.SeenCharge
	for n, id := range []string{"ch_1", "ch_2", "ch_3"} {
		all = append(all, w.charge(id, old.Add(time.Duration(n)*time.Minute), orderID(n)))
		w.order(orderID(n), ordersv1.Order_COMPLETE, all[n])
	}
	if _, err := s.client(s.instance(nil), "orders").OpenCase(t.Context(), &pb.OpenCaseRequest{
		Kind: pb.Case_DUPLICATE_CHARGE, Subject: "order/" + orderID(0), Summary: "the order was paid by ch_1 after its buyer had paid ch_2 and ch_3",
	}); err != nil {
		t.Fatal(err)
	}
	s.refunds(all[1])
	s.sweeps()
	s.wantDuplicates(1)
	s.refunds(all[0])
	s.sweeps()
	s.wantDuplicates(0)
}
