package reconciliation_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
)

// A dispute is a case while there is something to answer: not while Stripe shows an
// open one, Orders has not heard the end, or it is another charge's.
func TestADisputeThatIsDecidedIsNoCaseAnyMore(t *testing.T) {
	s := newScene(t)
	w, dial := s.world, s.instance(nil)
	const open, won, lost = paymentsv1.Payment_OPEN, paymentsv1.Payment_WON, paymentsv1.Payment_LOST
	want := map[string]string{}
	add := func(n int, charge, kind, summary, state string, orders paymentsv1.Payment_Dispute, stripe ...paymentsv1.Payment_Dispute) {
		t.Helper()
		disputed := func(c *paymentsv1.SeenCharge) { c.Disputed = len(stripe) > 0 }
		w.order(orderID(n), ordersv1.Order_COMPLETE, w.charge(charge, s.clock.Now().Add(-time.Hour), orderID(n), disputed), func(o *fakeOrder) {
			if o.Dispute = orders; orders == lost && charge != "ch_not_yet" {
				o.AccessWithdrawnAt = timestamppb.New(s.clock.Now())
			}
		})
		w.set(func() {
			if w.disputes == nil {
				w.disputes = map[string][]paymentsv1.Payment_Dispute{}
			}
			w.disputes[charge] = stripe
		})
		want[charge] = state
		if _, err := s.client(dial, "payments").OpenCase(t.Context(), &pb.OpenCaseRequest{
			Kind: pb.Case_Kind(pb.Case_Kind_value[kind]), Subject: "order/" + orderID(n), Summary: summary,
		}); err != nil {
			t.Fatal(err)
		}
	}
	add(1, "ch_open", "DISPUTE", "charge ch_open is disputed", "OPEN", open, open)
	add(2, "ch_won", "DISPUTE", "charge ch_won is disputed", "RESOLVED", won, won)
	add(3, "ch_lost", "DISPUTE", "charge ch_lost is disputed", "RESOLVED", lost, won, lost)
	add(4, "ch_not_yet", "DISPUTE", "charge ch_not_yet is disputed", "OPEN", lost, lost)
	add(5, "ch_again", "DISPUTE", "charge ch_again is disputed", "OPEN", won, won, open)
	add(6, "ch_first", "DISPUTE", "charge ch_second is disputed", "OPEN", won, won)
	add(7, "ch_warned", "FRAUD_WARNING", "payment intent pi_ch_warned may be fraud", "OPEN", 0)
	add(8, "ch_came", "FRAUD_WARNING", "payment intent pi_ch_came may be fraud", "RESOLVED", open, open)
	add(9, "ch_other", "FRAUD_WARNING", "payment intent pi_second may be fraud", "OPEN", open, open)
	add(10, "ch_back", "FRAUD_WARNING", "payment intent pi_ch_back may be fraud", "RESOLVED", 0)
	w.set(func() {
		w.charges["ch_back"].RefundedMinor = 24900
		o := w.orders[orderID(10)]
		o.State, o.RefundedMinor, o.AccessWithdrawnAt = ordersv1.Order_REFUNDED, 24900, timestamppb.New(s.clock.Now())
	})
	unread := w.disputes
	w.set(func() { w.disputes = nil })
	s.startRun(dial)
	if n := s.openCases("DISPUTE"); n != 6 {
		t.Errorf("%d of 6 disputes are open while Stripe cannot be read", n)
	}
	w.set(func() { w.disputes = unread })
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	for charge, state := range want {
		_, order, _ := s.disposition(charge)
		if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE subject = 'order/'||$1 AND kind IN ('DISPUTE', 'FRAUD_WARNING') AND state = $2`, order, state); n != 1 {
			t.Errorf("the case about %s is not %s", charge, state)
		}
	}
}

// A bank decides long after the cursor over disputes went by, and no event may tell.
func TestOldDisputesAreReadAgainDaily(t *testing.T) {
	s := newScene(t)
	w := s.world
	dial := s.instance(nil)
	all := func() (n int) {
		w.set(func() {
			for _, window := range w.windows["disputes"] {
				if s.clock.Now().Sub(window.GetFrom().AsTime()) >= 180*24*time.Hour {
					n++
				}
			}
			w.windows["disputes"] = nil
		})
		return n
	}
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := all(); n != 1 {
		t.Errorf("at first all are read %d times", n)
	}
	s.clock.Advance(23 * time.Hour)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := all(); n != 0 {
		t.Errorf("within the day all are read %d times more", n)
	}
	s.clock.Advance(2 * time.Hour)
	hook(w, &w.onFollow, func(r *paymentsv1.FollowChangesRequest) error {
		if s.clock.Now().Sub(r.GetWindow().GetFrom().AsTime()) > 100*24*time.Hour {
			return errStripe
		}
		return nil
	})
	run := s.startRun(dial)
	s.wantRun(run, pb.Run_FAILED)
	if !hasLine(run, "older disputes") {
		t.Errorf("details: %v", run.GetDetails())
	}
	hook(w, &w.onFollow, nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := all(); n != 1 {
		t.Errorf("after a failure all are read %d times", n)
	}
}
