package reconciliation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/grpcclient"
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
				if s.clock.Now().Sub(window.GetFrom().AsTime()) >= 180*24*time.Hour && window.GetBefore().AsTime().After(s.clock.Now()) {
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

// disputed has the bank take a charge back at Stripe, with a fee of $15.00.
func (w *fakeWorld) disputed(c *paymentsv1.SeenCharge, at time.Time) *paymentsv1.SeenDispute {
	id := "dp_" + c.GetChargeId()
	d := &paymentsv1.SeenDispute{
		StripeDisputeId: id, ChargeId: c.GetChargeId(), AmountMinor: c.GetAmountMinor(), Currency: c.GetCurrency(), Stands: paymentsv1.Payment_OPEN,
		Reason: "fraudulent", CreatedAt: timestamppb.New(at), AnswerBy: timestamppb.New(at.Add(10 * 24 * time.Hour)),
	}
	w.set(func() {
		c.Disputed = true
		w.listedDisputes = append(w.listedDisputes, d)
		w.moves(d, "txn_taken_"+c.GetChargeId(), -c.GetAmountMinor(), 1500, at)
	})
	return d
}

// moves books what a dispute does, which it says of itself, too; w.mu is held.
func (w *fakeWorld) moves(d *paymentsv1.SeenDispute, id string, amount, fee int64, at time.Time) {
	b := &paymentsv1.BalanceTransaction{Id: id, Type: "adjustment", SourceId: d.GetStripeDisputeId(), ChargeId: d.GetChargeId(),
		AmountMinor: amount, FeeMinor: fee, NetMinor: amount - fee, Currency: d.GetCurrency(), CreatedAt: timestamppb.New(at)}
	d.Movements, w.balance = append(d.Movements, b), append(w.balance, b)
}

// asked: Payments has asked about the dispute of an order.
func (s *scene) asked(dial grpcclient.Dialer, order string) {
	s.t.Helper()
	if _, err := s.client(dial, "payments").OpenCase(s.t.Context(), &pb.OpenCaseRequest{Kind: pb.Case_DISPUTE, Subject: "order/" + order, Summary: "answer the dispute"}); err != nil {
		s.t.Fatal(err)
	}
}

// closed: somebody has closed that case.
func (s *scene) closed(dial grpcclient.Dialer, order string) {
	s.t.Helper()
	id := s.count(`SELECT id FROM reconciliation.cases WHERE kind = 'DISPUTE' AND state = 'OPEN' AND subject = $1`, "order/"+order)
	if _, err := s.desk(dial).ResolveCase(s.support(), &pb.ResolveCaseRequest{CaseId: int64(id), Resolution: "answered"}); err != nil {
		s.t.Fatal(err)
	}
}

// Payments asks about disputes of payments that it has. Of other charges of ours nobody
// else would.
func TestADisputeOfAChargeThatPaymentsDoesNotHaveIsACase(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	unrecorded := func(c *paymentsv1.SeenCharge) { c.Recorded = false }
	own := w.charge("ch_1", old, orderID(1))
	w.order(orderID(1), ordersv1.Order_COMPLETE, own, func(o *fakeOrder) { o.Dispute = paymentsv1.Payment_OPEN })
	second := w.charge("ch_2", old, orderID(1), unrecorded)
	nobody := w.charge("ch_nobody", old, orderID(2), unrecorded)
	w.set(func() { w.missing["ch_nobody"] = "address of its buyer" })
	claimed := w.charge("ch_old_checkout", old, "", unrecorded, func(c *paymentsv1.SeenCharge) { c.Owner = paymentsv1.SeenCharge_CLAIMED })
	foreign := w.charge("ch_foreign", old, "", unrecorded, func(c *paymentsv1.SeenCharge) { c.Owner = paymentsv1.SeenCharge_FOREIGN })
	for _, c := range []*paymentsv1.SeenCharge{own, second, nobody, claimed, foreign} {
		w.disputed(c, s.clock.Now().Add(-time.Minute))
	}
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "24h"})
	s.asked(dial, orderID(1))
	s.closed(dial, orderID(1))
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	by := s.clock.Now().Add(-time.Minute).Add(10 * 24 * time.Hour).Format("2 January 2006, 15:04 UTC")
	for subject, charge := range map[string]string{"order/" + orderID(1): "ch_2", "charge/ch_nobody": "ch_nobody", "charge/ch_old_checkout": "ch_old_checkout"} {
		if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = 'DISPUTE' AND state = 'OPEN' AND subject = $1
			AND summary LIKE '$249.00 of charge ' || $2 || ' is disputed (fraudulent)%' || $3 || '%'`, subject, charge, by); n != 1 {
			t.Errorf("%d cases about %s, by %s", n, charge, by)
		}
	}
	if n := s.openCases("DISPUTE"); n != 3 {
		t.Errorf("%d disputes are cases", n)
	}
	for range 2 { // by the cursor's overlap, and by the daily reading of all
		s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
		s.clock.Advance(25 * time.Hour)
	}
	if n := s.count(`SELECT sum(reported_count) FROM reconciliation.cases WHERE kind = 'DISPUTE' AND state = 'OPEN'`); n != 3 {
		t.Errorf("they were reported %d times", n)
	}
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 0 {
		t.Errorf("differences: %v", r.GetDifferences())
	}
	s.exec(`UPDATE reconciliation.disputes SET told = false WHERE charge_id = 'ch_2'`) // the case could not be opened
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 1 || r.GetDifferences()[0].GetSubject() != "ch_2" {
		t.Errorf("differences: %v", r.GetDifferences())
	}
	s.exec(`UPDATE reconciliation.disputes SET told = true`)

	const open, won, lost = paymentsv1.Payment_OPEN, paymentsv1.Payment_WON, paymentsv1.Payment_LOST
	w.set(func() {
		w.disputes = map[string][]paymentsv1.Payment_Dispute{"ch_2": {won, open}, "ch_nobody": {lost}, "ch_old_checkout": {won}}
	})
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := s.openCases("DISPUTE"); n != 1 {
		t.Errorf("%d cases are open about the one that is not decided", n)
	}
	w.set(func() { w.disputes["ch_2"] = []paymentsv1.Payment_Dispute{won, won} })
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := s.openCases("DISPUTE"); n != 0 {
		t.Errorf("%d cases are open when all are decided", n)
	}
}

// A bank may take back a part only, and the access goes with it: somebody has paid the rest
// for nothing, until that goes back, too.
func TestADisputeThatIsLostInPartIsACase(t *testing.T) {
	s := newScene(t)
	w, made := s.world, s.clock.Now().Add(-5*24*time.Hour)
	c := w.charge("ch_1", made, orderID(1))
	w.order(orderID(1), ordersv1.Order_COMPLETE, c, func(o *fakeOrder) { o.Dispute = paymentsv1.Payment_OPEN })
	at := s.clock.Now().Add(-time.Hour)
	d := w.disputed(c, at)
	w.set(func() {
		d.AmountMinor, d.Movements[0].AmountMinor, d.Movements[0].NetMinor = 10000, -10000, -11500
		w.disputes, w.undisputed = map[string][]paymentsv1.Payment_Dispute{"ch_1": {paymentsv1.Payment_OPEN}}, map[string]int64{"ch_1": 14900}
	})
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h", "RECONCILE_OVERLAP": "3h"})
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_1", "MATCHED")
	if _, err := s.client(dial, "payments").OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: pb.Case_DISPUTE, Subject: "order/" + orderID(1), Summary: "charge ch_1 is disputed: answer it"}); err != nil {
		t.Fatal(err)
	}

	w.set(func() { // the event about it came, so that Orders knows
		d.Stands, w.disputes["ch_1"] = paymentsv1.Payment_LOST, []paymentsv1.Payment_Dispute{paymentsv1.Payment_LOST}
		o := w.orders[orderID(1)]
		o.Dispute, o.AccessWithdrawnAt, w.grants[orderID(1)] = paymentsv1.Payment_LOST, timestamppb.New(s.clock.Now()), false
	})
	s.clock.Advance(time.Hour)
	for range 2 {
		s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
		s.wantDisposition("ch_1", "QUARANTINED")
		if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = 'DISPUTE' AND state = 'OPEN' AND summary LIKE '%ch_1 of $249.00%$100.00%$149.00 is still with us%neither access nor%'`); n != 1 {
			t.Fatalf("%d cases say what is left", n)
		}
	}
	r := s.report(dial, time.Time{}, time.Time{})
	if r.GetOldestUnserved().GetChargeId() != "ch_1" || r.GetCharges()[0].GetDisputedMinor() != 10000 || r.GetDifferenceCount() != 0 {
		t.Errorf("the report: %v", r)
	}
	s.exec(`UPDATE reconciliation.cases SET state = 'RESOLVED', resolved_at = opened_at, resolved_by = 'support:sam', resolution = 'they keep the discount'`)
	if r := s.report(dial, time.Time{}, time.Time{}); len(r.GetDecided()) != 1 || r.GetDecided()[0].GetKeptMinor() != 14900 || r.GetOldestUnserved() != nil {
		t.Errorf("when a person has decided: %v, unserved %v", r.GetDecided(), r.GetOldestUnserved())
	}
	s.exec(`UPDATE reconciliation.cases SET state = 'OPEN', resolved_at = NULL, resolved_by = NULL, resolution = NULL`)

	w.set(func() { // at Stripe's dashboard
		c.RefundedMinor, w.orders[orderID(1)].RefundedMinor, w.followed = 14900, 14900, []string{"ch_1"}
	})
	w.movement("refund", "re_rest", "ch_1", -14900, s.clock.Now())
	s.clock.Advance(2 * time.Minute)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_1", "MATCHED")
	if n := s.openCases("DISPUTE"); n != 0 {
		t.Errorf("%d cases are open although all of it went back", n)
	}
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 0 {
		t.Errorf("differences: %v", r.GetDifferences())
	}
}

// A bank may give a part of what it took back: the dispute is lost in Stripe's words, and
// of its amount only the rest is.
func TestADisputeThatIsWonInPartIsLostForTheRest(t *testing.T) {
	s := newScene(t)
	w, made := s.world, s.clock.Now().Add(-5*24*time.Hour)
	c := w.charge("ch_1", made, orderID(1))
	w.order(orderID(1), ordersv1.Order_COMPLETE, c, func(o *fakeOrder) {
		o.Dispute, o.AccessWithdrawnAt = paymentsv1.Payment_LOST, timestamppb.New(s.clock.Now())
	})
	d := w.disputed(c, made.Add(time.Hour))
	w.set(func() {
		d.Stands, d.LostMinor, w.grants[orderID(1)] = paymentsv1.Payment_LOST, 19900, false
		w.moves(d, "txn_back_ch_1", 5000, 0, made.Add(2*time.Hour))
		w.disputes, w.wonBack = map[string][]paymentsv1.Payment_Dispute{"ch_1": {paymentsv1.Payment_LOST}}, map[string]int64{"ch_1": 5000}
	})
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "24h"})
	for range 2 {
		s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
		s.wantDisposition("ch_1", "QUARANTINED")
		if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = 'DISPUTE' AND state = 'OPEN' AND summary LIKE '%ch_1 of $249.00%$199.00%$50.00 is still with us%'`); n != 1 {
			t.Fatalf("%d cases say what is left", n)
		}
		s.clock.Advance(time.Hour)
	}
	r := s.report(dial, time.Time{}, time.Time{})
	if r.GetDifferenceCount() != 0 || r.GetCharges()[0].GetDisputedMinor() != 24900 || r.GetOldestUnserved().GetChargeId() != "ch_1" {
		t.Errorf("the report: %v, %v", r.GetCharges(), r.GetDifferences())
	}
	s.exec(`UPDATE reconciliation.cases SET state = 'RESOLVED', resolved_at = opened_at, resolved_by = 'support:sam', resolution = 'paid by transfer'`)
	if r := s.report(dial, time.Time{}, time.Time{}); len(r.GetDecided()) != 1 || r.GetDecided()[0].GetKeptMinor() != 5000 {
		t.Errorf("when a person has decided: %v", r.GetDecided())
	}
	// More is not put back than was taken, and of one that was won all is.
	for stands, amount := range map[string]int{"LOST": 24901, "WON": 5000} {
		s.exec(`UPDATE reconciliation.disputes SET stands = $1`, stands)
		s.exec(`UPDATE reconciliation.dispute_movements SET amount_minor = $1, net_minor = $1 WHERE balance_transaction_id = 'txn_back_ch_1'`, amount)
		s.exec(`UPDATE reconciliation.balance_transactions SET amount_minor = $1, net_minor = $1 WHERE id = 'txn_back_ch_1'`, amount)
		if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 1 || r.GetDifferences()[0].GetSubject() != "txn_back_ch_1" || r.GetDifferences()[0].GetFoundMinor() != int64(amount) {
			t.Errorf("%s and %d put back: %v", stands, amount, r.GetDifferences())
		}
	}
}

// Of each movement of a dispute it is known what it must be: the dispute says it.
func TestOneCentOfADisputesMovementIsNamed(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-5*time.Hour)
	c := w.charge("ch_1", old, orderID(1))
	w.order(orderID(1), ordersv1.Order_COMPLETE, c, func(o *fakeOrder) { o.Dispute = paymentsv1.Payment_WON })
	d := w.disputed(c, old.Add(time.Hour))
	w.set(func() {
		d.Stands = paymentsv1.Payment_WON
		w.moves(d, "txn_back_ch_1", 24900, -1500, old.Add(2*time.Hour))
	})
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	none := func() {
		t.Helper()
		if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 0 {
			t.Errorf("differences: %v", r.GetDifferences())
		}
	}
	none()
	for name, seed := range map[string]struct{ id, wrong, right, what string }{
		"withdrawal":  {"txn_taken_ch_1", "amount_minor = -24901, net_minor = -26401", "amount_minor = -24900, net_minor = -26400", "another amount"},
		"its fee":     {"txn_taken_ch_1", "fee_minor = 1501, net_minor = -26401", "fee_minor = 1500, net_minor = -26400", "another fee"},
		"reversal":    {"txn_back_ch_1", "amount_minor = 24899, net_minor = 26399", "amount_minor = 24900, net_minor = 26400", "another amount"},
		"fee's back":  {"txn_back_ch_1", "fee_minor = -1499, net_minor = 26399", "fee_minor = -1500, net_minor = 26400", "another fee"},
		"its balance": {"txn_back_ch_1", "currency = 'EUR'", "currency = 'USD'", "another amount"},
	} {
		s.exec(`UPDATE reconciliation.balance_transactions SET ` + seed.wrong + ` WHERE id = '` + seed.id + `'`)
		r := s.report(dial, time.Time{}, time.Time{})
		if n := r.GetDifferenceCount(); n != 1 || r.GetDifferences()[0].GetSubject() != seed.id || !strings.Contains(r.GetDifferences()[0].GetWhat(), seed.what) {
			t.Errorf("%s: differences: %v", name, r.GetDifferences())
		}
		s.exec(`UPDATE reconciliation.balance_transactions SET ` + seed.right + ` WHERE id = '` + seed.id + `'`)
	}
	none()
	for name, seed := range map[string]struct{ id, wrong, right string }{
		"another amount is disputed": {"txn_taken_ch_1", `UPDATE reconciliation.disputes SET amount_minor = 24899`, `UPDATE reconciliation.disputes SET amount_minor = 24900`},
		"it is not in the balance":   {"txn_lost", `INSERT INTO reconciliation.dispute_movements SELECT 'txn_lost', dispute_id, -24900, 0, -24900, 'USD', '', created_at FROM reconciliation.dispute_movements LIMIT 1`, `DELETE FROM reconciliation.dispute_movements WHERE balance_transaction_id = 'txn_lost'`},
		"the dispute does not name it": {"txn_more", `INSERT INTO reconciliation.balance_transactions SELECT 'txn_more', type, source_id, charge_id, -1, 0, -1, currency, '', created_at FROM reconciliation.balance_transactions WHERE id = 'txn_taken_ch_1'`,
			`DELETE FROM reconciliation.balance_transactions WHERE id = 'txn_more'`},
	} {
		s.exec(seed.wrong)
		r := s.report(dial, time.Time{}, time.Time{})
		if r.GetDifferenceCount() == 0 || r.GetDifferences()[0].GetSubject() != seed.id && r.GetDifferences()[r.GetDifferenceCount()-1].GetSubject() != seed.id {
			t.Errorf("%s: differences: %v", name, r.GetDifferences())
		}
		s.exec(seed.right)
	}
	none()
}

// Payments asks about a dispute once. When the case is gone, with a backup of this service
// that was restored, somebody is asked again: not where one was asked and has decided.
func TestADisputeWhoseCaseIsGoneIsACaseAgain(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "24h"})
	s.asked(dial, orderID(4)) // about one before
	s.closed(dial, orderID(4))
	s.clock.Advance(time.Minute)
	for n := range 4 {
		c := w.charge(fmt.Sprintf("ch_%d", n+1), old, orderID(n+1), func(c *paymentsv1.SeenCharge) { c.Disputed = true })
		w.order(orderID(n+1), ordersv1.Order_COMPLETE, c, func(o *fakeOrder) { o.Dispute = paymentsv1.Payment_OPEN })
		w.disputed(c, s.clock.Now())
	}
	s.clock.Advance(time.Minute)
	s.asked(dial, orderID(2))
	s.asked(dial, orderID(3))
	s.closed(dial, orderID(3))
	for range 2 {
		s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
		s.clock.Advance(25 * time.Hour)
	}
	for n, want := range []int{1, 0, 0, 1} {
		if got := s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = 'DISPUTE' AND state = 'OPEN' AND reported_count = 1 AND subject = $1
			AND summary LIKE '%no case says so%answer it at Stripe by%do not refund'`, "order/"+orderID(n+1)); got != want {
			t.Errorf("%d cases are opened about order %d, want %d", got, n+1, want)
		}
	}
	if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = 'DISPUTE'`); n != 5 {
		t.Errorf("%d cases in all", n)
	}
}

// Of a dispute whose charge cannot be read nobody is asked before it can be; of the others
// at once.
func TestADisputedChargeThatCannotBeReadKeepsNoOtherFromItsCase(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	for _, id := range []string{"ch_bad", "ch_good"} {
		w.disputed(w.charge(id, old, "", func(c *paymentsv1.SeenCharge) {
			c.Recorded, c.Owner = false, paymentsv1.SeenCharge_CLAIMED
		}), s.clock.Now().Add(-time.Minute))
	}
	w.set(func() { w.unreadable = map[string]bool{"ch_bad": true} })
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	about := func(charge string) int {
		return s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = 'DISPUTE' AND state = 'OPEN' AND subject = 'charge/' || $1`, charge)
	}
	if about("ch_bad") != 0 || about("ch_good") != 1 || s.cursor("disputes").After(s.clock.Now().Add(-time.Minute)) {
		t.Errorf("%d cases about the one that cannot be read, %d about the other; the cursor is at %s", about("ch_bad"), about("ch_good"), s.cursor("disputes"))
	}
	w.set(func() { w.unreadable = nil })
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if about("ch_bad") != 1 || about("ch_good") != 1 {
		t.Errorf("then %d and %d cases", about("ch_bad"), about("ch_good"))
	}
}

// A difference about a charge that cannot be read hides no other.
func TestADifferenceThatCannotBeReadAgainHidesNoOther(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-2*time.Hour)
	for i, id := range []string{"ch_bad", "ch_cent"} {
		w.order(orderID(i), ordersv1.Order_COMPLETE, w.charge(id, old, orderID(i)))
		w.set(func() { b := w.balance[len(w.balance)-1]; b.AmountMinor--; b.NetMinor-- })
	}
	w.set(func() { w.unreadable = map[string]bool{"ch_bad": true} })
	run := s.startRun(s.instance(nil))
	s.wantRun(run, pb.Run_SUCCEEDED)
	if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = 'DISCREPANCY' AND state = 'OPEN' AND summary LIKE '%ch_bad%' AND summary LIKE '%ch_cent%'`); n != 1 ||
		run.GetErrors() != 1 || !hasLine(run, "not all that differs", "ch_bad") {
		t.Errorf("%d cases name both: %v", n, run.GetDetails())
	}
}
