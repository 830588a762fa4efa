package orders_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// told is what the order's buyer was told by mail, in the order in which it was queued.
func (s *scene) told(o *ordersv1.Order) (kinds []string) {
	s.t.Helper()
	rows, err := s.owner.Query(s.t.Context(), "SELECT args->>'message_kind' FROM orders.river_job WHERE args->>'order_id' = $1 ORDER BY id", o.GetId())
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		if err := rows.Scan(&kind); err != nil {
			s.t.Fatal(err)
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

func TestWhoPaidIsToldByWhenAndThenWhatBecameOfThat(t *testing.T) {
	s := newScene(t, looksOn, byHand)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	o := s.mustPlace(purchase{}, charged)
	paid := o.GetChargedAt().AsTime()
	if got := o.GetPromise(); got.GetBy().AsTime().Sub(paid) != time.Minute || got.GetMissedCount() != 0 || got.GetMissedBy() != nil {
		t.Fatalf("promised %v", got)
	}
	type said struct {
		after, by time.Duration // since the payment
		missed    int32
		told      string
	}
	var got []said
	for len(got) < 6 {
		if len(got) == 1 { // a person is asked when the first promise has passed, and not before
			s.wantCases()
		}
		if len(got) == 2 {
			s.wantCases("STUCK_ORDER order/" + o.GetId())
		}
		s.look(o)
		d, p := s.describe(o), s.get(o).GetPromise()
		now := s.clock.Now()
		if d.GetNextLookAt().AsTime().After(p.GetBy().AsTime()) {
			t.Errorf("looked at again at %s, after the promise of %s", d.GetNextLookAt().AsTime(), p.GetBy().AsTime())
		}
		got = append(got, said{now.Sub(paid), p.GetBy().AsTime().Sub(paid), p.GetMissedCount(), strings.Join(s.told(o), " ")})
	}
	const m = time.Minute
	want := []said{
		{30 * time.Second, m, 0, ""},
		{m, 4 * m, 1, ""}, // the next one: when the next two looks are over
		{2 * m, 4 * m, 1, "STILL_WORKING"},
		{4 * m, 19 * m, 2, "STILL_WORKING REFUND_OFFER"},
		{8 * m, 19 * m, 2, "STILL_WORKING REFUND_OFFER"},
		{16 * m, 19 * m, 2, "STILL_WORKING REFUND_OFFER"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("said\n%v, want\n%v", got, want)
	}
	s.wantCases("STUCK_ORDER order/" + o.GetId())
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	s.look(o)
	if done := s.awaitState(o, recovered); done.GetPromise() != nil {
		t.Errorf("at rest, and promised %v", done.GetPromise())
	}
	if got := s.told(o); !slices.Equal(got, []string{"STILL_WORKING", "REFUND_OFFER", "RECOVERY"}) {
		t.Errorf("told %v", got)
	}
	d := s.describe(o)
	if n := len(slices.DeleteFunc(d.GetHistory(), func(h *ordersv1.HistoryEntry) bool { return !strings.Contains(h.GetNote(), "not kept") })); n != 2 {
		t.Errorf("%d promises that were not kept are in the history", n)
	}
}

func TestWhoseMoneyIsUnknownIsToldByWhenItIsKnown(t *testing.T) {
	s := newScene(t, looksOn)
	s.peers.payments.says(fails(away))
	o := s.mustPlace(purchase{}, pending)
	if by := o.GetPromise().GetBy().AsTime(); by.Sub(s.clock.Now()) != time.Minute {
		t.Errorf("promised by %s", by)
	}
	s.clock.Advance(2 * time.Minute)
	await(t, "the next promise", func() bool { return s.get(o).GetPromise().GetMissedCount() == 1 })
	if told := s.told(o); len(told) != 0 {
		t.Errorf("told %v although nobody knows of a payment", told)
	}
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	s.look(o)
	paid := s.awaitState(o, charged)
	p := paid.GetPromise()
	if after := p.GetBy().AsTime().Sub(paid.GetChargedAt().AsTime()); after < time.Minute || after >= 2*time.Minute {
		t.Errorf("once paid, promised after %s", after)
	}
	if p.GetMissedCount() != 0 || p.GetMissedBy() != nil {
		t.Errorf("a first promise of access says that one was not kept: %v", p)
	}
}

func TestNothingIsPromisedToWhoMustActOrWaitForTheBank(t *testing.T) {
	for _, status := range []paymentsv1.Payment_Status{paymentsv1.Payment_REQUIRES_ACTION, paymentsv1.Payment_PROCESSING} {
		t.Run(status.String(), func(t *testing.T) {
			s := newScene(t, looksOn, byHand)
			s.peers.payments.says(says(status))
			o := s.mustPlace(purchase{}, pending)
			if o.GetPromise() != nil {
				t.Errorf("promised %v", o.GetPromise())
			}
			for range 3 {
				s.look(o)
			}
			d := s.describe(o)
			if next := d.GetNextLookAt().AsTime().Sub(s.clock.Now()); next != 2*time.Minute || s.count("SELECT promise_missed_count FROM orders.orders") != 0 {
				t.Errorf("looked at again after %s, as if something were due", next)
			}
		})
	}
}

func TestThePromiseIsWhatRecoveriesTookWhenThatIsLonger(t *testing.T) {
	s := newScene(t)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	recoveredBefore := func(n int, took time.Duration) {
		for i := range n {
			s.mustPlace(purchase{email: fmt.Sprintf("jane%d-%s@example.com", i, took)}, charged)
		}
		s.exec(`UPDATE orders.orders SET state = 'RECOVERED', recovered_by = 'rescue', next_look_at = NULL, access_until = charged_at + interval '1 year',
			completed_at = charged_at + $1::interval WHERE state = 'CHARGED'`, took.String())
	}
	promised := func(email string) time.Duration {
		s.clock.Advance(5 * time.Minute) // what was measured before is not used any more
		o := s.mustPlace(purchase{email: email}, charged)
		by := o.GetPromise().GetBy().AsTime().Sub(s.clock.Now())
		s.exec("DELETE FROM orders.submissions WHERE order_id = $1", o.GetId())
		s.exec("DELETE FROM orders.history WHERE order_id = $1", o.GetId())
		s.exec("DELETE FROM orders.orders WHERE id = $1", o.GetId())
		return by
	}
	recoveredBefore(19, 8*time.Minute)
	if got := promised("one@example.com"); got != time.Minute {
		t.Errorf("from 19 recoveries: %s", got)
	}
	recoveredBefore(1, 4*time.Minute)
	if got := promised("two@example.com"); got != 10*time.Minute {
		t.Errorf("from 20 recoveries of up to 8 minutes: %s", got)
	}
	s.clock.Advance(31 * 24 * time.Hour)
	if got := promised("three@example.com"); got != time.Minute {
		t.Errorf("from recoveries a month ago: %s", got)
	}
}

// Each word once: over kills between the look and its end, repeated looks by the
// sweep, and two instances.
func TestEachWordIsSaidOnce(t *testing.T) {
	s := newScene(t, looksOn)
	s.serving(s.instance(2))
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	const n = 3
	var all []*ordersv1.Order
	for i := range n {
		all = append(all, s.mustPlace(purchase{email: fmt.Sprintf("jane%d@example.com", i)}, charged))
	}
	for step := range 12 {
		s.clock.Advance(22 * time.Second)
		for _, o := range all {
			if _, err := s.advance(o, "reconciliation", ordersv1.AdvanceOrderRequest_RECONCILIATION); err != nil {
				t.Fatal(err)
			}
		}
		if step%4 == 3 {
			s.restart()
		}
	}
	for _, o := range all {
		await(t, "the offer", func() bool {
			if s.count("SELECT count(*) FROM orders.orders WHERE next_look_at <= $1", s.clock.Now()) == 0 {
				s.clock.Advance(10 * time.Minute)
			}
			return s.describe(o).GetRefundToken() != ""
		})
		if got := s.told(o); !slices.Equal(got, []string{"STILL_WORKING", "REFUND_OFFER"}) {
			t.Errorf("told %v", got)
		}
	}
	await(t, "all is handed over", func() bool { return len(s.peers.notifications.sent()) == 2*n })
}

func TestNobodyIsToldThatTheyWaitWhoDoesNot(t *testing.T) {
	s := newScene(t, looksOn, "STILL_WORKING_AFTER=10s")
	o := s.mustPlace(purchase{}, complete)
	s.clock.Advance(time.Hour)
	late := s.mustPlace(purchase{email: "joe@example.com"}, complete)
	for _, o := range []*ordersv1.Order{o, late} {
		if got := s.told(o); !slices.Equal(got, []string{"CONFIRMATION"}) {
			t.Errorf("told %v", got)
		}
	}
}
