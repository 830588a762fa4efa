package reconciliation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/grpcclient"
)

func (s *scene) report(dial grpcclient.Dialer, from, before time.Time) *pb.IntegrityReport {
	s.t.Helper()
	req := &pb.GetIntegrityReportRequest{}
	if !from.IsZero() {
		req.From = timestamppb.New(from)
	}
	if !before.IsZero() {
		req.Before = timestamppb.New(before)
	}
	r, err := s.client(dial, "gateway").GetIntegrityReport(s.support(), req)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// movement books something on the Stripe balance.
func (w *fakeWorld) movement(kind, source, charge string, amount int64, at time.Time) {
	w.set(func() {
		w.balance = append(w.balance, &paymentsv1.BalanceTransaction{Id: fmt.Sprintf("txn_%s_%s", kind, source), Type: kind, SourceId: source,
			ChargeId: charge, AmountMinor: amount, NetMinor: amount, Currency: "USD", CreatedAt: timestamppb.New(at)})
	})
}

// booked changes how a refund was booked off the balance.
func (w *fakeWorld) booked(source string, amount int64, rate string) {
	for _, b := range w.balance {
		if b.GetSourceId() == source {
			b.AmountMinor, b.NetMinor, b.ExchangeRate = amount, amount, rate
		}
	}
}

// shop is two days of trade that add up.
func (s *scene) shop() (dayOne time.Time) {
	w := s.world
	dayOne = s.clock.Now().Add(-72 * time.Hour).Truncate(24 * time.Hour)
	noon := dayOne.Add(12 * time.Hour)
	took := func(d time.Duration) func(*fakeOrder) {
		return func(o *fakeOrder) { o.CompletedAt = timestamppb.New(o.GetChargedAt().AsTime().Add(d)) }
	}
	for n := range 10 {
		w.order(orderID(n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_%02d", n), noon, orderID(n)), took(time.Second))
	}
	w.order(orderID(20), ordersv1.Order_RECOVERED, w.charge("ch_late", noon, orderID(20)), took(40*time.Second), func(o *fakeOrder) { o.RecoveredBy = "rescue" })
	w.order(orderID(21), ordersv1.Order_COMPLETE, w.charge("ch_part", noon, orderID(21), func(c *paymentsv1.SeenCharge) { c.RefundedMinor = 1000 }),
		took(time.Second), func(o *fakeOrder) { o.RefundedMinor = 1000 })
	w.movement("refund", "re_part", "ch_part", -1000, noon.Add(time.Hour))
	w.charge("ch_foreign", noon, "", func(c *paymentsv1.SeenCharge) { c.Owner, c.AmountMinor = paymentsv1.SeenCharge_FOREIGN, 777 })
	w.order(orderID(22), ordersv1.Order_COMPLETE, w.charge("ch_next_day", noon.Add(24*time.Hour), orderID(22)), took(time.Second))
	yen := w.charge("ch_yen", noon.Add(24*time.Hour), orderID(23), func(c *paymentsv1.SeenCharge) { c.AmountMinor, c.Currency, c.RefundedMinor = 25000, "JPY", 1000 })
	w.order(orderID(23), ordersv1.Order_COMPLETE, yen, took(time.Second), func(o *fakeOrder) { o.RefundedMinor = 1000 })
	euro := w.charge("ch_euro", noon.Add(24*time.Hour), orderID(24), func(c *paymentsv1.SeenCharge) { c.AmountMinor, c.Currency, c.RefundedMinor = 20000, "EUR", 5333 })
	w.order(orderID(24), ordersv1.Order_COMPLETE, euro, took(time.Second), func(o *fakeOrder) { o.RefundedMinor = 5333 })
	w.movement("refund", "re_euro_1", "ch_euro", -3667, noon.Add(25*time.Hour)) // 3333 of it
	w.movement("refund", "re_euro_2", "ch_euro", -2400, noon.Add(26*time.Hour))
	w.movement("refund", "re_yen", "ch_yen", -700, noon.Add(25*time.Hour))
	dollarsInYen := w.charge("ch_yen_cents", noon.Add(24*time.Hour), orderID(25), func(c *paymentsv1.SeenCharge) { c.AmountMinor, c.Currency, c.RefundedMinor = 25000, "JPY", 25000 })
	w.order(orderID(25), ordersv1.Order_REFUNDED, dollarsInYen, took(time.Second), func(o *fakeOrder) { o.RefundedMinor, o.AccessWithdrawnAt = 25000, timestamppb.New(noon) })
	w.movement("refund", "re_yen_cents", "ch_yen_cents", -17500, noon.Add(25*time.Hour))
	w.set(func() {
		for _, b := range w.balance {
			switch b.GetChargeId() {
			case "ch_yen":
				b.AmountMinor, b.Currency, b.ExchangeRate = 16750, "USD", "0.67"
				if b.GetType() == "refund" {
					b.AmountMinor, b.ExchangeRate = -700, "0.7"
				}
			case "ch_euro":
				b.AmountMinor, b.Currency, b.ExchangeRate = 22000, "USD", "1.1"
				switch b.GetSourceId() {
				case "re_euro_1":
					b.AmountMinor, b.ExchangeRate = -3667, "1.1002"
				case "re_euro_2":
					b.AmountMinor, b.ExchangeRate = -2400, "1.2"
				}
			case "ch_yen_cents":
				if b.AmountMinor, b.Currency, b.ExchangeRate = 16750, "USD", "0.0067"; b.GetType() == "refund" {
					b.AmountMinor, b.ExchangeRate = -17500, "0.007"
				}
			default:
				continue
			}
			b.NetMinor = b.AmountMinor - b.FeeMinor
		}
	})
	w.movement("adjustment", "dp_1", "ch_00", -24900, noon.Add(2*time.Hour))
	w.movement("payout", "po_1", "", -100000, noon.Add(3*time.Hour))
	w.movement("stripe_fee", "fee_1", "", -200, noon.Add(3*time.Hour))
	w.movement("anything_new", "new_1", "", 5, noon.Add(3*time.Hour))
	return dayOne
}

func TestTheReportAddsUp(t *testing.T) {
	s := newScene(t)
	dayOne := s.shop()
	dial := s.instance(nil)
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetComplete() || !strings.Contains(r.GetIncompleteReason(), "have not been read yet") {
		t.Errorf("before the first run: %v", r)
	}
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)

	day := s.report(dial, dayOne, dayOne.Add(24*time.Hour))
	if !day.GetComplete() || day.GetDifferenceCount() != 0 {
		t.Errorf("complete %t (%s), differences %v", day.GetComplete(), day.GetIncompleteReason(), day.GetDifferences())
	}
	charges := map[string]*pb.DispositionSum{}
	for _, c := range day.GetCharges() {
		charges[c.GetDisposition().String()+" "+c.GetCurrency()] = c
	}
	if m := charges["MATCHED USD"]; m.GetChargeCount() != 11 || m.GetAmountMinor() != 11*24900 || m.GetRefundedMinor() != 1000 || len(charges) != 3 ||
		charges["RECOVERED USD"].GetChargeCount() != 1 || charges["FOREIGN USD"].GetAmountMinor() != 777 {
		t.Errorf("charges: %v", day.GetCharges())
	}
	var sum, booked int64
	for _, c := range day.GetCharges() {
		sum += c.GetAmountMinor()
	}
	categories := map[string]*pb.BalanceSum{}
	for _, b := range day.GetBalance() {
		categories[b.GetCategory()+" "+b.GetType()] = b
		if b.GetCategory() == "charges" {
			booked += b.GetAmountMinor()
		}
	}
	if sum != booked || categories["refunds refund"].GetAmountMinor() != -1000 || categories["disputes adjustment"].GetAmountMinor() != -24900 ||
		categories["payouts payout"].GetAmountMinor() != -100000 || categories["fees stripe_fee"].GetNetMinor() != -200 || categories["other anything_new"] == nil {
		t.Errorf("%d charged, %d booked: %v", sum, booked, day.GetBalance())
	}
	if a := day.GetChargeToAccess(); a.GetOrderCount() != 12 || a.GetMeanMs() != (11*1000+40000)/12 || a.GetP95Ms() != 40000 || a.GetP99Ms() != 40000 {
		t.Errorf("from charge to access: %v", a)
	}
	if by := day.GetCompletedBy(); len(by) != 2 || by[0].GetRecoveredBy() != "" || by[0].GetOrderCount() != 11 || by[1].GetRecoveredBy() != "rescue" {
		t.Errorf("completed by %v", by)
	}
	if day.GetOldestUnserved() != nil {
		t.Errorf("unserved: %v", day.GetOldestUnserved())
	}
	all := s.report(dial, time.Time{}, time.Time{})
	if all.GetDifferenceCount() != 0 || len(all.GetCharges()) != 6 || !all.GetComplete() {
		t.Errorf("of all time: %v", all)
	}
	byDay, err := s.client(dial, "gateway").CountChargesByDay(s.support(), &pb.CountChargesByDayRequest{Days: 92})
	if err != nil {
		t.Fatal(err)
	}
	var counted, onDayOne int64
	for _, d := range byDay.GetDays() {
		for _, c := range d.GetCounts() {
			if counted += c.GetChargeCount(); d.GetDate() == dayOne.UTC().Format(time.DateOnly) {
				onDayOne += c.GetChargeCount()
			}
		}
	}
	var summed int64
	for _, c := range all.GetCharges() {
		summed += c.GetChargeCount()
	}
	if onDayOne != 13 || counted != summed {
		t.Errorf("by day %d, %d of them on the first day; the report has %d: %v", counted, onDayOne, summed, byDay)
	}
	read := s.cursor("charges")
	s.clock.Advance(time.Hour)
	if r := s.report(dial, dayOne, s.clock.Now()); r.GetComplete() || !strings.Contains(r.GetIncompleteReason(), "charges have been read up to "+read.UTC().Format(time.RFC3339)) {
		t.Errorf("an hour after the last run: complete %t, %s", r.GetComplete(), r.GetIncompleteReason())
	}
	if r := s.report(dial, dayOne, read); !r.GetComplete() {
		t.Errorf("of what was read: %s", r.GetIncompleteReason())
	}
	_, err = s.client(dial, "gateway").GetIntegrityReport(s.support(), &pb.GetIntegrityReportRequest{From: timestamppb.New(dayOne), Before: timestamppb.New(dayOne)})
	wantError(t, "an empty window", err, codes.InvalidArgument, "INVALID_ARGUMENT")
}

// What is made at midnight belongs to the day that begins, whatever it is.
func TestADayEndsAtMidnight(t *testing.T) {
	s := newScene(t)
	w, midnight := s.world, s.clock.Now().Add(-24*time.Hour).Truncate(24*time.Hour)
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_before", midnight.Add(-time.Second), orderID(1)))
	w.order(orderID(2), ordersv1.Order_COMPLETE, w.charge("ch_at", midnight, orderID(2), func(c *paymentsv1.SeenCharge) { c.AmountMinor = 1000 }))
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	for from, amount := range map[time.Time]int64{midnight.Add(-24 * time.Hour): 24900, midnight: 1000} {
		r := s.report(dial, from, from.Add(24*time.Hour))
		if len(r.GetCharges()) != 1 || r.GetCharges()[0].GetAmountMinor() != amount || len(r.GetBalance()) != 1 || r.GetBalance()[0].GetAmountMinor() != amount ||
			r.GetChargeToAccess().GetOrderCount() != 1 || r.GetCompletedBy()[0].GetOrderCount() != 1 || r.GetDifferenceCount() != 0 {
			t.Errorf("from %s on: %v", from, r)
		}
	}
	days, err := s.client(dial, "gateway").CountChargesByDay(s.support(), &pb.CountChargesByDayRequest{Days: 5})
	if err != nil || len(days.GetDays()) != 2 || days.GetDays()[1].GetDate() != midnight.Format(time.DateOnly) {
		t.Errorf("by day: %v, %v", days, err)
	}
}

// A second charge of an order that went back makes no second order of it.
func TestAnOrderIsCompletedOnce(t *testing.T) {
	s := newScene(t)
	w, at := s.world, s.clock.Now().Add(-2*time.Hour)
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_1", at, orderID(1)))
	w.charge("ch_2", at.Add(time.Minute), orderID(1), func(c *paymentsv1.SeenCharge) { c.RefundedMinor = c.GetAmountMinor() })
	w.movement("refund", "re_2", "ch_2", -24900, at.Add(2*time.Minute))
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_2", "REFUNDED")
	r := s.report(dial, time.Time{}, time.Time{})
	if len(r.GetCompletedBy()) != 1 || r.GetCompletedBy()[0].GetOrderCount() != 1 || r.GetChargeToAccess().GetOrderCount() != 1 || r.GetDifferenceCount() != 0 {
		t.Errorf("the report: %v", r)
	}
}

func TestTheReportNamesOneCent(t *testing.T) {
	for name, c := range map[string]struct {
		seed            func(*scene, *fakeWorld)
		subject, what   string
		expected, found int64
	}{
		"a movement of another amount": {func(_ *scene, w *fakeWorld) { w.balance[3].AmountMinor--; w.balance[3].NetMinor-- },
			"ch_03", "another amount", 24900, 24899},
		"at the rate": {func(_ *scene, w *fakeWorld) {
			for _, b := range w.balance {
				if b.GetChargeId() == "ch_euro" {
					b.AmountMinor, b.NetMinor = b.AmountMinor+1, b.NetMinor+1
				}
			}
		}, "ch_euro", "at the rate 1.1", 22000, 22001},
		"a net that is not the net": {func(_ *scene, w *fakeWorld) { w.balance[4].NetMinor++ }, "txn_ch_04", "net", 24870, 24871},
		"a net that is too little":  {func(_ *scene, w *fakeWorld) { w.balance[4].NetMinor-- }, "txn_ch_04", "net", 24870, 24869},
		"a charge that is booked twice": {func(_ *scene, w *fakeWorld) {
			again := proto.CloneOf(w.balance[5])
			again.Id = "txn_again"
			w.balance = append(w.balance, again)
		}, "ch_05", "booked 2 times, by balance transactions txn_again, txn_ch_05", 24900, 49800},
		"no movement": {func(_ *scene, w *fakeWorld) { w.balance[5].Type = "other" }, "ch_05", "no balance transaction", 24900, 0},
		"a refund of another amount": {func(_ *scene, w *fakeWorld) {
			for _, b := range w.balance {
				if b.GetSourceId() == "re_part" {
					b.AmountMinor, b.NetMinor = -999, -999
				}
			}
		}, "ch_part", "refunded", 1000, 999},
		"a refund of more":     {func(_ *scene, w *fakeWorld) { w.booked("re_part", -1001, "") }, "ch_part", "refunded", 1000, 1001},
		"a refund at the rate": {func(_ *scene, w *fakeWorld) { w.booked("re_euro_2", -2403, "1.2") }, "ch_euro", "at the rate 1.1002, 1.2", 5333, 5336},
		"a refund of yen":      {func(_ *scene, w *fakeWorld) { w.booked("re_yen", -699, "0.7") }, "ch_yen", "at the rate 0.7", 1000, 999},
		"a refund of yen in cents": {func(_ *scene, w *fakeWorld) { w.booked("re_yen_cents", -17400, "0.007") },
			"ch_yen_cents", "at the rate 0.007", 25000, 24857},
		"a refund without a rate": {func(_ *scene, w *fakeWorld) { w.booked("re_euro_2", -2400, "") }, "ch_euro", "at no rate", 5333, 0},
		"a charge without a rate": {func(_ *scene, w *fakeWorld) {
			for _, b := range w.balance {
				if b.GetChargeId() == "ch_euro" && b.GetType() == "charge" {
					b.ExchangeRate = ""
				}
			}
		}, "ch_euro", "has no rate", 0, 22000},
		"the order's amount":    {func(_ *scene, w *fakeWorld) { w.orders[orderID(6)].AmountMinor++ }, "ch_06", "order", 24900, 24901},
		"the order's currency":  {func(_ *scene, w *fakeWorld) { w.orders[orderID(6)].Currency = "EUR" }, "ch_06", "in EUR", 24900, 24900},
		"the order's refund":    {func(_ *scene, w *fakeWorld) { w.orders[orderID(21)].RefundedMinor++ }, "ch_part", "knows", 1000, 1001},
		"an order that is gone": {func(_ *scene, w *fakeWorld) { delete(w.orders, orderID(7)) }, "ch_07", "not there", 24900, 0},
		"the recorded amount": {func(s *scene, _ *fakeWorld) {
			s.exec(`UPDATE reconciliation.charge_dispositions SET amount_minor = 24899 WHERE charge_id = 'ch_08'`)
		}, "ch_08", "balance transaction", 24899, 24900},
		"no disposition": {func(s *scene, _ *fakeWorld) {
			s.exec(`DELETE FROM reconciliation.charge_dispositions WHERE charge_id = 'ch_09'`)
		}, "ch_09", "no disposition", 0, 24900},
		"not shown by Stripe": {func(_ *scene, w *fakeWorld) { delete(w.charges, "ch_02") }, "ch_02", "does not show", 0, 24900},
		"open for too long": {func(s *scene, _ *fakeWorld) {
			s.exec(`UPDATE reconciliation.charge_dispositions SET disposition = 'OPEN', access_at = NULL, read_again_at = '2100-01-01' WHERE charge_id = 'ch_01'`)
		}, "ch_01", "OPEN", 24900, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.shop()
			dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1h"})
			afterwards := strings.HasPrefix(name, "the ") || strings.HasPrefix(name, "no disp") || strings.HasPrefix(name, "open") || strings.HasSuffix(name, "gone")
			if !afterwards && name != "not shown by Stripe" {
				s.world.set(func() { c.seed(s, s.world) })
			}
			s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
			if afterwards {
				s.world.set(func() { c.seed(s, s.world) })
			}
			if name == "not shown by Stripe" {
				s.world.set(func() { c.seed(s, s.world) })
				s.clock.Advance(2 * time.Hour)
				s.startRun(dial)
			}
			r := s.report(dial, time.Time{}, time.Time{})
			if r.GetDifferenceCount() == 0 {
				t.Fatal("no difference")
			}
			d := r.GetDifferences()[0]
			if d.GetSubject() != c.subject || !strings.Contains(d.GetWhat(), c.what) || d.GetExpectedMinor() != c.expected || d.GetFoundMinor() != c.found {
				t.Errorf("differences: %v", r.GetDifferences())
			}
			if name == "open for too long" && r.GetOldestUnserved().GetChargeId() != "ch_01" {
				t.Errorf("unserved: %v", r.GetOldestUnserved())
			}
		})
	}
}

// What a sweep writes while a report is made is in all of its sums, or in none.
func TestAReportIsOfOneMoment(t *testing.T) {
	s := newScene(t)
	s.shop()
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	tx, err := s.owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	// The report has read its sums when it asks whose charges a person has decided about.
	if _, err := tx.Exec(t.Context(), `LOCK TABLE reconciliation.cases IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	desk, ctx, made := s.client(dial, "gateway"), s.support(), make(chan *pb.IntegrityReport, 1)
	go func() {
		r, err := desk.GetIntegrityReport(ctx, &pb.GetIntegrityReportRequest{})
		if err != nil {
			t.Error(err)
		}
		made <- r
	}()
	for s.count(`SELECT count(*) FROM pg_locks AS w JOIN pg_locks AS h ON h.pid = w.pid AND h.granted AND h.relation = 'reconciliation.charge_dispositions'::regclass
		WHERE NOT w.granted AND w.relation = 'reconciliation.cases'::regclass`) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("the report does not come to the cases")
		}
	}
	if _, err := tx.Exec(t.Context(), `UPDATE reconciliation.charge_dispositions SET disposition = 'OPEN', access_at = NULL, recovered_by = '', read_again_at = '2100-01-01' WHERE charge_id = 'ch_late'`); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := <-made
	if r.GetOldestUnserved() != nil || len(r.GetCompletedBy()) != 2 || r.GetDifferenceCount() != 0 {
		t.Errorf("while it was made something changed, and it has a part of that: %v", r)
	}
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetOldestUnserved().GetChargeId() != "ch_late" || len(r.GetCompletedBy()) != 1 {
		t.Errorf("the next report: %v", r)
	}
}

// Reports of all time are whole: what is older than the deep pass reaches is read
// once, and not at every pass again.
func TestTheWholeHistoryIsReadOnce(t *testing.T) {
	s := newScene(t)
	w, ago := s.world, func(days int) time.Time { return s.clock.Now().Add(-time.Duration(days) * 24 * time.Hour) }
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_ancient", ago(1500), orderID(1)))
	w.order(orderID(2), ordersv1.Order_COMPLETE, w.charge("ch_old", ago(100), orderID(2)))
	claimed := func(c *paymentsv1.SeenCharge) {
		c.Owner, c.OwnerReason = paymentsv1.SeenCharge_CLAIMED, "product prod_1"
	}
	w.charge("ch_claimed_long_ago", ago(1000), "", claimed)
	w.charge("ch_claimed", ago(10), "", claimed)
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "24h"})

	// While a page of it fails, a report of all time says so; one of a month does not.
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if len(r.GetChargeIds()) == 0 && r.GetWindow().GetFrom().AsTime().Before(ago(1200)) {
			return errStripe
		}
		return nil
	})
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetComplete() || !strings.Contains(r.GetIncompleteReason(), "have not all been read yet") {
		t.Errorf("of all time: %v", r)
	}
	if r := s.report(dial, ago(30), time.Time{}); !r.GetComplete() {
		t.Errorf("of a month: %s", r.GetIncompleteReason())
	}
	w.set(func() { w.onListCharges = nil })
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	r := s.report(dial, time.Time{}, time.Time{})
	var count, booked int64
	for _, c := range r.GetCharges() {
		count += c.GetChargeCount()
	}
	for _, b := range r.GetBalance() {
		booked += b.GetAmountMinor()
	}
	if !r.GetComplete() || r.GetDifferenceCount() != 0 || count != 4 || booked != 4*24900 {
		t.Errorf("of all time: complete %t (%s), %d charges, %d booked, %v", r.GetComplete(), r.GetIncompleteReason(), count, booked, r.GetDifferences())
	}
	// What the old checkout sold is asked about while it matters.
	s.wantDisposition("ch_claimed_long_ago", "QUARANTINED")
	if n := s.openCases("CLAIMED_CHARGE"); n != 1 {
		t.Errorf("%d cases about the old checkout", n)
	}
	w.set(func() { w.listed = nil })
	s.clock.Advance(25 * time.Hour)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	w.set(func() {
		for _, l := range w.listed {
			if len(l.GetChargeIds()) == 0 && l.GetWindow().GetFrom().AsTime().Before(ago(200)) {
				t.Errorf("the history is read again: %v", l.GetWindow())
			}
		}
	})
	if r := s.report(dial, time.Time{}, time.Time{}); !r.GetComplete() || r.GetDifferenceCount() != 0 {
		t.Errorf("a day later: %s, %v", r.GetIncompleteReason(), r.GetDifferences())
	}
}

// What differs is one case, however long it does and however much it is; it closes
// by itself.
func TestDifferencesAreOneCaseWhileTheyAreThere(t *testing.T) {
	s := newScene(t)
	s.shop()
	w := s.world
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1h"})
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := s.openCases("DISCREPANCY"); n != 0 {
		t.Fatalf("%d cases although all fits", n)
	}
	off := func(charge string, by int) {
		s.exec(`UPDATE reconciliation.balance_transactions SET amount_minor = amount_minor + $2, net_minor = net_minor + $2 WHERE charge_id = $1 AND type = 'charge'`, charge, by)
	}
	passes := func() {
		t.Helper()
		s.clock.Advance(2 * time.Hour)
		s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	}
	summary := func() (text string, reports int) {
		t.Helper()
		if err := s.owner.QueryRow(t.Context(), `SELECT summary, reported_count FROM reconciliation.cases WHERE kind = 'DISCREPANCY' AND state = 'OPEN'`).Scan(&text, &reports); err != nil {
			t.Fatal(err)
		}
		return text, reports
	}
	off("ch_03", -1)
	passes()
	first, _ := summary()
	if !strings.Contains(first, "differ in 1: ch_03") || !strings.Contains(first, "$249.00") || !strings.Contains(first, "$248.99") {
		t.Errorf("the case says %s", first)
	}
	passes()
	if again, reports := summary(); again != first || reports != 1 {
		t.Errorf("reported %d times: %s", reports, again)
	}
	off("ch_05", 7)
	passes()
	if both, reports := summary(); !strings.Contains(both, "differ in 2") || !strings.Contains(both, "ch_05") || reports != 2 {
		t.Errorf("with another one, reported %d times: %s", reports, both)
	}
	off("ch_03", 1)
	off("ch_05", -7)
	// While not all could be read, that nothing differs is not known.
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if len(r.GetChargeIds()) == 0 {
			return errStripe
		}
		return nil
	})
	s.clock.Advance(2 * time.Hour)
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	if n := s.openCases("DISCREPANCY"); n != 1 {
		t.Errorf("%d cases are open while charges cannot be read", n)
	}
	hook(w, &w.onListCharges, nil)
	passes()
	if n := s.openCases("DISCREPANCY"); n != 0 {
		t.Errorf("%d cases are open although all fits", n)
	}
	if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = 'DISCREPANCY' AND resolved_by = 'system'`); n != 1 {
		t.Errorf("%d cases", n)
	}

	// A difference of today needs no deep pass to be seen.
	fresh := w.charge("ch_today", s.clock.Now().Add(-time.Minute), orderID(90))
	w.order(orderID(90), ordersv1.Order_COMPLETE, fresh)
	w.set(func() { w.balance[len(w.balance)-1].AmountMinor--; w.balance[len(w.balance)-1].NetMinor-- })
	s.clock.Advance(time.Minute)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if text, _ := summary(); !strings.Contains(text, "ch_today") {
		t.Errorf("the case says %s", text)
	}
}

// A debit that failed took no money: it is booked, and booked back.
func TestADebitThatFailedIsNoDifference(t *testing.T) {
	s := newScene(t)
	w, at := s.world, s.clock.Now().Add(-2*time.Hour)
	w.charge("py_1", at, orderID(1), func(c *paymentsv1.SeenCharge) { c.Status = paymentsv1.SeenCharge_FAILED })
	w.movement("payment", "py_1", "py_1", 24900, at)
	w.movement("payment_failure_refund", "pyr_1", "py_1", -24900, at.Add(time.Minute))
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 0 {
		t.Errorf("differences: %v", r.GetDifferences())
	}
	if n := s.openCases("DISCREPANCY"); n != 0 {
		t.Errorf("%d cases", n)
	}
	s.exec(`UPDATE reconciliation.balance_transactions SET amount_minor = -24899, net_minor = -24899 WHERE type = 'payment_failure_refund'`)
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 1 || r.GetDifferences()[0].GetSubject() != "py_1" {
		t.Errorf("when a cent was not booked back: %v", r.GetDifferences())
	}
}

// When the order and its access are lost, both are made again as they were: the
// access ends when it did, and not a term after the loss.
func TestWhatIsRebuiltEndsWhenItDid(t *testing.T) {
	s := newScene(t)
	w := s.world
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_1", s.clock.Now().Add(-40*24*time.Hour), orderID(1)))
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1h"})
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	w.set(func() {
		delete(w.orders, orderID(1))
		delete(w.grants, orderID(1))
	})
	// Stripe has its moment, and the first try fails: what was known is kept.
	hook(w, &w.onRestore, func(string) error { return errStripe })
	s.clock.Advance(time.Hour)
	s.startRun(dial)
	w.set(func() { w.onRestore = nil })
	s.clock.Advance(time.Hour)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_1", "RECOVERED")
	w.set(func() {
		if until := w.until["ch_1"]; until == nil || !until.AsTime().Equal(accessEnds) {
			t.Errorf("Orders was told of access until %v, want %s", until, accessEnds)
		}
	})
	// One that never was seen with access says nothing of it.
	w.charge("ch_2", s.clock.Now().Add(-time.Hour), orderID(2), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	s.clock.Advance(2 * time.Hour)
	s.startRun(dial)
	s.wantDisposition("ch_2", "RECOVERED")
	w.set(func() {
		if until := w.until["ch_2"]; until != nil {
			t.Errorf("Orders was told of access until %s", until.AsTime())
		}
	})
}

// A run does not read twice what it has seen: a deep pass that it begins later
// must not take that for what Stripe does not show.
func TestWhatARunSawBeforeItsDeepPassIsNotMissing(t *testing.T) {
	s := newScene(t)
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1h"})
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.clock.Advance(2 * time.Hour)
	s.world.order(orderID(1), ordersv1.Order_COMPLETE, s.world.charge("ch_1", s.clock.Now().Add(-time.Minute), orderID(1)))
	s.clock.Ticks(time.Millisecond) // time passes between the sweep and the pass
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	for _, d := range s.report(dial, time.Time{}, time.Time{}).GetDifferences() {
		t.Errorf("%s: %s", d.GetSubject(), d.GetWhat())
	}
}

// Stripe counts whole seconds: what is made in the second in which the charges were
// read, and after that, is on its way and no difference.
func TestAChargeOfTheCursorsOwnSecondIsNoDifference(t *testing.T) {
	s := newScene(t)
	w := s.world
	s.clock.Advance(s.clock.Now().Truncate(time.Second).Add(time.Second + 500*time.Millisecond).Sub(s.clock.Now()))
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.clock.Advance(200 * time.Millisecond)
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_same_second", s.clock.Now().Truncate(time.Second), orderID(1)))
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 0 {
		t.Errorf("%v", r.GetDifferences())
	}
	s.clock.Advance(time.Minute)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_same_second", "MATCHED")
}

func TestAChargeIsExplained(t *testing.T) {
	s := newScene(t)
	w := s.world
	c := w.charge("ch_1", s.clock.Now().Add(-time.Hour), orderID(1))
	dial := s.instance(nil)
	explain := func(id string) *pb.ExplainChargeResponse {
		t.Helper()
		e, err := s.client(dial, "gateway").ExplainCharge(s.support(), &pb.ExplainChargeRequest{ChargeId: id})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	has := func(e *pb.ExplainChargeResponse, part string) bool {
		return strings.Contains(strings.Join(e.GetEvidence(), "\n"), part)
	}
	before := explain("ch_1")
	if before.GetRecorded() != nil || before.GetNow().GetKind() != pb.Disposition_OPEN || !has(before, "next sweep has Orders told") || !has(before, "has no order") {
		t.Errorf("before any run: %v", before)
	}
	w.set(func() {
		if len(w.restored) != 0 {
			t.Error("explaining changed something")
		}
	})
	s.startRun(dial)
	after := explain("ch_1")
	if after.GetRecorded().GetKind() != pb.Disposition_RECOVERED || after.GetNow().GetOrderId() != orderID(1) || after.GetRecordedAt() == nil || !has(after, "Provisioning: access") {
		t.Errorf("after a run: %v", after)
	}
	w.set(func() { c.Status = paymentsv1.SeenCharge_FAILED })
	if e := explain("ch_1"); e.GetNow().GetKind() != pb.Disposition_KIND_UNSPECIFIED || !strings.Contains(e.GetNow().GetReason(), "failed") {
		t.Errorf("a failed charge: %v", e)
	}
	_, err := s.client(dial, "gateway").ExplainCharge(s.support(), &pb.ExplainChargeRequest{ChargeId: "ch_none"})
	wantError(t, "a charge that is not there", err, codes.NotFound, "CHARGE_NOT_FOUND")
}

func (s *scene) exec(query string, args ...any) {
	s.t.Helper()
	if _, err := s.owner.Exec(s.t.Context(), query, args...); err != nil {
		s.t.Fatal(err)
	}
}

// Access that was given once and is gone is no access: whose refund came back has
// neither that nor the money, and waits.
func TestWhoseAccessIsGoneIsUnserved(t *testing.T) {
	s := newScene(t)
	w := s.world
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_1", s.clock.Now().Add(-time.Hour), orderID(1)))
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetOldestUnserved() != nil {
		t.Errorf("with access: %v", r.GetOldestUnserved())
	}
	w.set(func() {
		o := w.orders[orderID(1)]
		o.State, o.RefundedMinor, o.AccessWithdrawnAt = ordersv1.Order_REFUNDED, 24900, timestamppb.New(s.clock.Now())
		w.grants[orderID(1)] = false
	})
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_1", "QUARANTINED")
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetOldestUnserved().GetChargeId() != "ch_1" {
		t.Errorf("without access and money: %v", r.GetOldestUnserved())
	}
}

// A report reads the newest movements, and a charge is read again by the next run: what was
// refunded between is no difference, and one when it still differs after that.
func TestARefundSinceItsChargeWasReadIsNoDifference(t *testing.T) {
	s := newScene(t)
	w := s.world
	c := w.charge("ch_1", s.clock.Now().Add(-2*time.Hour), orderID(1))
	w.order(orderID(1), ordersv1.Order_COMPLETE, c)
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.clock.Advance(3 * time.Minute)
	if r := s.report(dial, time.Time{}, time.Time{}); !r.GetComplete() {
		t.Errorf("what is newer than two periods is on its way, and not missing: %s", r.GetIncompleteReason())
	}
	w.movement("refund", "re_1", "ch_1", -1000, s.clock.Now())
	s.clock.Advance(3 * time.Minute)
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 0 || len(r.GetBalance()) != 2 || r.GetComplete() {
		t.Errorf("before its charge is read again: %v, %v", r.GetBalance(), r.GetDifferences())
	}
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 1 || r.GetDifferences()[0].GetSubject() != "ch_1" {
		t.Errorf("when Stripe says that nothing of the charge went back: %v", r.GetDifferences())
	}
}

// The other way round, too: a charge that was read after the movements may show a refund
// that is in none of them yet; and what a dispute put back since it was read.
func TestWhatWasReadAtDifferentTimesIsNoDifference(t *testing.T) {
	s := newScene(t)
	w, at := s.world, s.clock.Now().Add(-2*time.Hour)
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_1", at, orderID(1)))
	c := w.charge("ch_2", at, orderID(2))
	w.order(orderID(2), ordersv1.Order_COMPLETE, c, func(o *fakeOrder) { o.Dispute = paymentsv1.Payment_OPEN })
	d := w.disputed(c, at.Add(time.Minute))
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.clock.Advance(3 * time.Minute)
	w.set(func() {
		w.orders[orderID(1)].RefundedMinor = 500
		w.moves(d, "txn_back_ch_2", 24900, -1500, s.clock.Now())
	})
	s.clock.Advance(3 * time.Minute)
	s.exec(`UPDATE reconciliation.charge_dispositions SET refunded_minor = 500, seen_at = $1 WHERE charge_id = 'ch_1'`, s.clock.Now().Add(time.Minute))
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 0 {
		t.Errorf("differences: %v", r.GetDifferences())
	}
	s.clock.Advance(3 * time.Minute)
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 1 || r.GetDifferences()[0].GetSubject() != "ch_1" || r.GetDifferences()[0].GetExpectedMinor() != 500 {
		t.Errorf("when the movements were read later: %v", r.GetDifferences())
	}
}

// All charges are compared with their orders, however many pages they are.
func TestTheLastOfManyOrdersIsCompared(t *testing.T) {
	s := newScene(t)
	w, at := s.world, s.clock.Now().Add(-20*time.Hour)
	for n := range 2001 {
		w.order(orderID(n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_%04d", n), at.Add(time.Duration(n)*time.Second), orderID(n)))
	}
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	w.set(func() {
		for _, n := range []int{0, 1000, 2000} {
			w.orders[orderID(n)].AmountMinor++
		}
	})
	r := s.report(dial, time.Time{}, time.Time{})
	var found []string
	for _, d := range r.GetDifferences() {
		found = append(found, d.GetSubject())
	}
	if r.GetDifferenceCount() != 3 || !slices.Equal(found, []string{"ch_0000", "ch_1000", "ch_2000"}) {
		t.Errorf("%d differences: %v", r.GetDifferenceCount(), found)
	}
}

// What is being worked on for some minutes is a difference in a report that is asked for,
// and nothing to wake a person about: that it does not get on has a case of its own.
func TestWhatIsOpenForMinutesIsNoCaseOfADifference(t *testing.T) {
	s := newScene(t)
	w := s.world
	w.charge("ch_1", s.clock.Now().Add(-20*time.Minute), orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	hook(w, &w.onRestore, func(string) error { return errStripe })
	dial := s.instance(nil)
	s.startRun(dial)
	s.wantDisposition("ch_1", "OPEN")
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 1 || s.openCases("DISCREPANCY") != 0 {
		t.Errorf("after minutes: %v, %d cases", r.GetDifferences(), s.openCases("DISCREPANCY"))
	}
	s.clock.Advance(time.Hour)
	s.startRun(dial)
	if n := s.openCases("DISCREPANCY"); n != 1 {
		t.Errorf("after more than an hour there are %d cases", n)
	}
}

// Who waits for what they paid has not got it back, and bought it here.
func TestWhoHasTheirMoneyBackIsNotUnserved(t *testing.T) {
	s := newScene(t)
	w, at := s.world, s.clock.Now().Add(-2*time.Hour)
	wrong := func(n int, id string, after time.Duration, refunded int64) {
		c := w.charge(id, at.Add(after), orderID(n), func(c *paymentsv1.SeenCharge) { c.AmountMinor, c.RefundedMinor = 24901, refunded })
		w.order(orderID(n), ordersv1.Order_PENDING, c, func(o *fakeOrder) { o.AmountMinor = 24900 })
	}
	wrong(1, "ch_back", 0, 24901)
	w.charge("ch_old_checkout", at.Add(time.Minute), "", func(c *paymentsv1.SeenCharge) { c.Owner = paymentsv1.SeenCharge_CLAIMED })
	wrong(2, "ch_waits", 2*time.Minute, 24900)
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	for _, id := range []string{"ch_back", "ch_old_checkout", "ch_waits"} {
		s.wantDisposition(id, "QUARANTINED")
	}
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetOldestUnserved().GetChargeId() != "ch_waits" {
		t.Errorf("the oldest is %v", r.GetOldestUnserved())
	}
}

// A bank may dispute a part of a charge, or more than once: the disputes say how much,
// however old they are, and in the charge's currency.
func TestADisputeOfAPartCountsAsThatPart(t *testing.T) {
	s := newScene(t)
	w, at := s.world, s.clock.Now().Add(-400*24*time.Hour)
	charge := func(n int, id, currency string) *paymentsv1.SeenCharge {
		c := w.charge(id, at, orderID(n), func(c *paymentsv1.SeenCharge) { c.Currency = currency })
		w.order(orderID(n), ordersv1.Order_COMPLETE, c, func(o *fakeOrder) { o.Dispute = paymentsv1.Payment_WON })
		return c
	}
	booked := func(c *paymentsv1.SeenCharge, amounts ...int64) {
		for n, amount := range amounts {
			d := w.disputed(c, at.Add(time.Duration(n+1)*time.Hour))
			w.set(func() {
				id := fmt.Sprintf("%s_%d", d.GetStripeDisputeId(), n)
				d.StripeDisputeId, d.AmountMinor, d.Stands = id, amount, paymentsv1.Payment_WON
				b := d.Movements[0]
				b.Id, b.SourceId, b.AmountMinor, b.NetMinor = b.GetId()+id, id, -amount, -amount-b.GetFeeMinor()
				w.moves(d, "txn_back_"+id, amount, -1500, at.Add(24*time.Hour))
			})
		}
	}
	booked(charge(1, "ch_part", "USD"), 10000, 501)
	booked(charge(2, "ch_whole", "USD"), 24900, 24900)
	charge(3, "ch_quiet", "USD")
	// Where the balance has another currency, only the dispute says it.
	booked(charge(4, "ch_euro", "EUR"), 10001)
	w.set(func() {
		for _, b := range w.balance {
			if b.GetChargeId() == "ch_euro" {
				b.Currency, b.ExchangeRate = "USD", "1.1"
				if b.AmountMinor = 27390; b.GetType() == "adjustment" {
					b.AmountMinor = -11001
					if strings.HasPrefix(b.GetId(), "txn_back") {
						b.AmountMinor = 11001
					}
				}
				b.NetMinor = b.AmountMinor - b.FeeMinor
			}
		}
	})
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "24h"})
	hook(w, &w.onFollow, func(r *paymentsv1.FollowChangesRequest) error {
		if r.GetKind() == paymentsv1.FollowChangesRequest_DISPUTES && s.clock.Now().Sub(r.GetWindow().GetFrom().AsTime()) > 300*24*time.Hour {
			return errStripe
		}
		return nil
	})
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetComplete() || !strings.Contains(r.GetIncompleteReason(), "disputes have") {
		t.Errorf("while old disputes cannot be read: complete %t, %s", r.GetComplete(), r.GetIncompleteReason())
	}
	hook(w, &w.onFollow, nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	r := s.report(dial, time.Time{}, time.Time{})
	if len(r.GetCharges()) != 2 || r.GetCharges()[0].GetDisputedMinor() != 10001 || r.GetCharges()[1].GetDisputedMinor() != 10501+24900 || r.GetDifferenceCount() != 0 || !r.GetComplete() {
		t.Errorf("the report: %v, %v, %s", r.GetCharges(), r.GetDifferences(), r.GetIncompleteReason())
	}
}
