package reconciliation_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcclient"
)

var errStripe = apperr.New(codes.Unavailable, "STRIPE_UNREACHABLE", "Stripe cannot be reached at the moment")

// disposition is what is recorded of a charge: "MATCHED order reason", or "".
func (s *scene) disposition(charge string) (kind, order, reason string) {
	s.t.Helper()
	_ = s.owner.QueryRow(s.t.Context(), `SELECT disposition, coalesce(order_id::text, ''), reason FROM reconciliation.charge_dispositions WHERE charge_id = $1`, charge).
		Scan(&kind, &order, &reason)
	return kind, order, reason
}

func (s *scene) wantDisposition(charge, kind string) {
	s.t.Helper()
	if got, _, reason := s.disposition(charge); got != kind {
		s.t.Errorf("charge %s is %q (%s), want %q", charge, got, reason, kind)
	}
}

func (s *scene) cursor(name string) (at time.Time) {
	s.t.Helper()
	_ = s.owner.QueryRow(s.t.Context(), `SELECT read_before FROM reconciliation.cursors WHERE name = $1`, name).Scan(&at)
	return at
}

func (s *scene) openCases(kind string) int {
	return s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = $1 AND state = 'OPEN'`, kind)
}

func (s *scene) wantRun(r *pb.Run, status pb.Run_Status) {
	s.t.Helper()
	if r.GetStatus() != status {
		s.t.Fatalf("the run is %s with %d errors: %s", r.GetStatus(), r.GetErrors(), strings.Join(r.GetDetails(), "\n"))
	}
}

// historyIsRead leaves the charges to the cursor and to deep passes.
func (s *scene) historyIsRead() {
	s.exec(`INSERT INTO reconciliation.deep_passes (why, window_from, window_before, page_token, started_at, finished_at)
		VALUES ('the history before the first', '2010-01-01 00:00:00+00', $1, '', $1, $1)`, s.clock.Now())
}

func TestEveryChargeGetsItsDisposition(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	at := func(n int) time.Time { return old.Add(time.Duration(n) * time.Second) }

	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_matched", at(1), orderID(1)))
	w.order(orderID(2), ordersv1.Order_RECOVERED, w.charge("ch_recovered", at(2), orderID(2)), func(o *fakeOrder) { o.RecoveredBy = "rescue" })
	w.charge("ch_foreign", at(3), "", func(c *paymentsv1.SeenCharge) {
		c.Owner, c.OwnerReason, c.OrderId = paymentsv1.SeenCharge_FOREIGN, "nothing of ours", orderID(1)
	})
	w.charge("ch_orphan", at(4), orderID(4), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	w.order(orderID(5), ordersv1.Order_PENDING, w.charge("ch_unheard", at(5), orderID(5)), func(o *fakeOrder) { o.advances = ordersv1.Order_RECOVERED })
	w.order(orderID(6), ordersv1.Order_COMPLETE, w.charge("ch_no_grant", at(6), orderID(6)))
	w.set(func() { delete(w.grants, orderID(6)) })
	w.order(orderID(7), ordersv1.Order_PENDING, w.charge("ch_more", at(7), orderID(7)), func(o *fakeOrder) { o.AmountMinor = 24800 })
	w.order(orderID(8), ordersv1.Order_COMPLETE, w.charge("ch_first", at(8), orderID(8)))
	w.charge("ch_second", at(9), orderID(8), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	w.order(orderID(9), ordersv1.Order_COMPLETE, w.charge("ch_again", at(10), orderID(9)), func(o *fakeOrder) { o.DuplicateOfOrderId = orderID(1) })
	w.charge("ch_nobody", at(11), orderID(11))
	w.charge("ch_noplan", at(12), orderID(12))
	w.charge("ch_old_checkout", at(13), "", func(c *paymentsv1.SeenCharge) {
		c.Owner, c.OwnerReason = paymentsv1.SeenCharge_CLAIMED, "product prod_1"
	})
	w.charge("ch_unclear", at(14), "", func(c *paymentsv1.SeenCharge) { c.Owner, c.OwnerReason = paymentsv1.SeenCharge_UNCLEAR, "two orders" })
	w.charge("ch_pending", at(15), orderID(15), func(c *paymentsv1.SeenCharge) { c.Status, c.Recorded = paymentsv1.SeenCharge_PENDING, false })
	w.charge("ch_failed", at(16), orderID(16), func(c *paymentsv1.SeenCharge) { c.Status = paymentsv1.SeenCharge_FAILED })
	w.order(orderID(17), ordersv1.Order_COMPLETE, w.charge("ch_refunded", at(17), orderID(17), func(c *paymentsv1.SeenCharge) { c.RefundedMinor = 24900 }))
	w.set(func() { w.missing["ch_nobody"] = "address of its buyer" })

	hook(w, &w.onMatch, func(r *ordersv1.MatchChargesRequest) error {
		for _, k := range r.GetCharges() {
			if k.GetChargeId() == "ch_foreign" {
				t.Error("Orders is asked about a foreign charge")
			}
		}
		return nil
	})

	run := s.startRun(s.instance(nil))
	s.wantRun(run, pb.Run_SUCCEEDED)
	for charge, kind := range map[string]string{
		"ch_matched": "MATCHED", "ch_recovered": "RECOVERED", "ch_foreign": "FOREIGN", "ch_orphan": "RECOVERED", "ch_unheard": "RECOVERED",
		"ch_no_grant": "MATCHED", "ch_more": "QUARANTINED", "ch_first": "MATCHED", "ch_second": "DUPLICATE", "ch_again": "DUPLICATE",
		"ch_nobody": "QUARANTINED", "ch_noplan": "QUARANTINED", "ch_old_checkout": "QUARANTINED", "ch_unclear": "QUARANTINED",
		"ch_pending": "OPEN", "ch_failed": "", "ch_refunded": "REFUNDED",
	} {
		s.wantDisposition(charge, kind)
	}
	if run.GetChargesChecked() != 16 || run.GetOrphansFound() != 3 || run.GetOrphansRecovered() != 1 || run.GetErrors() != 0 {
		t.Errorf("checked %d, orphans %d, recovered %d, errors %d: %s", run.GetChargesChecked(), run.GetOrphansFound(), run.GetOrphansRecovered(), run.GetErrors(), strings.Join(run.GetDetails(), "\n"))
	}
	if d := run.GetDispositions(); d["QUARANTINED"] != 5 || d["DUPLICATE"] != 2 || d["FOREIGN"] != 1 {
		t.Errorf("dispositions %v", d)
	}
	for kind, n := range map[string]int{"WRONG_CHARGE": 1, "DUPLICATE_CHARGE": 2, "UNIDENTIFIED_CHARGE": 2, "CLAIMED_CHARGE": 1, "UNCLEAR_EVENT": 1} {
		if got := s.openCases(kind); got != n {
			t.Errorf("%d cases %s, want %d", got, kind, n)
		}
	}
	if n := s.count(`SELECT count(*) FROM reconciliation.cases WHERE kind = 'DUPLICATE_CHARGE' AND summary LIKE '%ch_matched%$249.00%ch_again%$249.00%'`); n != 1 {
		t.Errorf("%d cases show both charges of a pair", n)
	}
	w.set(func() {
		if w.restored["ch_foreign"]+w.adopted["ch_foreign"] != 0 || w.advanced[orderID(1)] != 0 {
			t.Error("a foreign charge was touched")
		}
		if w.adopted["ch_orphan"] != 1 || w.advanced[orderID(6)] != 1 || w.advanced[orderID(7)] != 0 {
			t.Errorf("adopted %v, advanced %v", w.adopted, w.advanced)
		}
	})

	// The next run sees the same by the overlap, and says and opens nothing new.
	before := s.count(`SELECT sum(reported_count) FROM reconciliation.cases`)
	s.clock.Advance(time.Minute)
	again := s.startRun(s.instance(nil))
	s.wantRun(again, pb.Run_SUCCEEDED)
	if n := s.count(`SELECT sum(reported_count) FROM reconciliation.cases`); n != before || again.GetOrphansFound() != 0 {
		t.Errorf("reported %d times after %d, orphans %d: %v", n, before, again.GetOrphansFound(), again.GetDetails())
	}
}

func TestAChargeThatCannotBeAdoptedIsTriedAgainLater(t *testing.T) {
	s := newScene(t)
	w := s.world
	w.charge("ch_noplan", s.clock.Now().Add(-time.Minute), orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "2h"})
	tried := func(n int) {
		t.Helper()
		run := s.startRun(dial)
		s.wantRun(run, pb.Run_SUCCEEDED)
		s.wantDisposition("ch_noplan", "QUARANTINED")
		w.set(func() {
			if w.adopted["ch_noplan"] != n {
				t.Errorf("tried %d times, want %d", w.adopted["ch_noplan"], n)
			}
		})
	}
	tried(1)
	s.clock.Advance(2 * time.Minute)
	tried(1)
	if n := s.count(`SELECT sum(reported_count) FROM reconciliation.cases`); n != 1 {
		t.Errorf("its case was reported %d times", n)
	}
	s.clock.Advance(3 * time.Hour)
	tried(2)
}

func TestTheCursorMovesOnlyOverWhatWasFullyRead(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	for n := range 250 { // all in one second, across three pages
		w.order(orderID(n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_%03d", n), old, orderID(n)))
	}
	dial := s.instance(map[string]string{"DEEP_PASS_WINDOW": "1s"})
	s.historyIsRead()
	var failed atomic.Bool
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if r.GetPageToken() != "" && failed.CompareAndSwap(false, true) {
			return errStripe
		}
		return nil
	})
	run := s.startRun(dial)
	s.wantRun(run, pb.Run_FAILED)
	if s.cursor("charges").After(old.Truncate(time.Second)) || !hasLine(run, "charges", "reads them again") {
		t.Errorf("the cursor moved to %s: %v", s.cursor("charges"), run.GetDetails())
	}
	if n := s.count(`SELECT count(*) FROM reconciliation.charge_dispositions`); n != 100 {
		t.Errorf("%d charges of the first page were kept", n)
	}
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := s.count(`SELECT count(*) FROM reconciliation.charge_dispositions WHERE disposition = 'MATCHED'`); n != 250 {
		t.Errorf("%d charges after the next run", n)
	}
	if at := s.cursor("charges"); !at.Equal(s.clock.Now().Truncate(time.Microsecond)) {
		t.Errorf("the cursor is at %s, now is %s", at, s.clock.Now())
	}
	w.set(func() { w.listed = nil })
	s.clock.Advance(48 * time.Hour) // a weekend
	w.order(orderID(300), ordersv1.Order_COMPLETE, w.charge("ch_weekend", s.clock.Now().Add(-47*time.Hour), orderID(300)))
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_weekend", "MATCHED")
	w.set(func() {
		want := s.clock.Now().Add(-48*time.Hour - 10*time.Minute)
		if from := w.listed[0].GetWindow().GetFrom().AsTime(); from.Sub(want).Abs() > time.Second {
			t.Errorf("read from %s, want %s", from, want)
		}
	})
}

// What was listed and could not be matched was not read.
func TestTheCursorStaysWhileOrdersCannotBeAsked(t *testing.T) {
	s := newScene(t)
	w, made := s.world, s.clock.Now().Add(-time.Hour).Truncate(time.Second)
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_1", made, orderID(1)))
	dial := s.instance(map[string]string{"DEEP_PASS_WINDOW": "1s"})
	s.historyIsRead()
	hook(w, &w.onMatch, func(r *ordersv1.MatchChargesRequest) error {
		if len(r.GetCharges()) > 0 {
			return apperr.New(codes.Unavailable, "", "Orders is away")
		}
		return nil
	})
	run := s.startRun(dial)
	s.wantRun(run, pb.Run_FAILED)
	if at := s.cursor("charges"); at.After(made) || !hasLine(run, "charges from", "reads them again") {
		t.Errorf("the cursor moved to %s: %v", at, run.GetDetails())
	}
	hook(w, &w.onMatch, nil)
	s.clock.Advance(12 * time.Hour)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_1", "MATCHED")
}

// A place that is kept beyond the cursor leads over a gap: it counts only when it begins
// where the cursor is.
func TestAPlaceBeyondTheCursorIsNotGoneOnWith(t *testing.T) {
	s := newScene(t)
	w, now := s.world, s.clock.Now()
	w.charge("ch_in_the_gap", now.Add(-2*time.Hour), orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	dial := s.instance(map[string]string{"DEEP_PASS_WINDOW": "1s"})
	s.historyIsRead()
	s.exec(`INSERT INTO reconciliation.cursors (name, read_before, moved_at) VALUES ('charges', $1, $1)`, now.Add(-3*time.Hour))
	s.exec(`INSERT INTO reconciliation.list_readings (name, slice_from, slice_before, read_before, page_token, read_at) VALUES ('charges', $1, $2, $2, '', $2)`,
		now.Add(-time.Hour), now.Add(-time.Minute))
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.world.set(func() {
		for _, r := range w.listed {
			if ofTheSweep(r) && r.GetWindow().GetFrom().AsTime().After(now.Add(-3*time.Hour)) {
				t.Errorf("%s is read, and the cursor was at %s", r.GetWindow(), now.Add(-3*time.Hour))
			}
		}
	})
	s.wantDisposition("ch_in_the_gap", "RECOVERED")
}

// A charge whose case could not be opened is read again until it could.
func TestACaseThatCannotBeOpenedIsTriedAgain(t *testing.T) {
	s := newScene(t)
	s.world.charge("ch_unclear", s.clock.Now().Add(-time.Hour), "", func(c *paymentsv1.SeenCharge) { c.Owner = paymentsv1.SeenCharge_UNCLEAR })
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})
	s.exec(`ALTER TABLE reconciliation.cases ADD CONSTRAINT none_is_opened CHECK (false) NOT VALID`)
	if run := s.startRun(dial); run.GetErrors() == 0 || !hasLine(run, "ch_unclear", "cannot be opened") {
		t.Errorf("the run is %v", run)
	}
	s.exec(`ALTER TABLE reconciliation.cases DROP CONSTRAINT none_is_opened`)
	s.clock.Advance(2 * time.Hour) // past the overlap
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := s.openCases("UNCLEAR_EVENT"); n != 1 {
		t.Errorf("%d cases are open", n)
	}
}

// That another case has taken a charge over is known of what was seen since the report.
func TestACaseIsNotClosedByWhatWasSeenBeforeIt(t *testing.T) {
	s := newScene(t)
	s.world.charge("ch_unclear", s.clock.Now().Add(-time.Hour), "", func(c *paymentsv1.SeenCharge) { c.Owner = paymentsv1.SeenCharge_UNCLEAR })
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.clock.Advance(2 * time.Hour)
	if _, err := s.client(dial, "payments").OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: pb.Case_UNIDENTIFIED_CHARGE, Subject: "charge/ch_unclear", Summary: "nobody is known"}); err != nil {
		t.Fatal(err)
	}
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := s.openCases("UNIDENTIFIED_CHARGE"); n != 1 {
		t.Errorf("%d cases are open although nobody has looked since", n)
	}
}

// ofTheSweep says whether it is a page of the list, and not of a deep pass of a second.
func ofTheSweep(r *paymentsv1.ListChargesRequest) bool {
	return len(r.GetChargeIds()) == 0 && r.GetWindow().GetBefore().AsTime().Sub(r.GetWindow().GetFrom().AsTime()) > time.Minute
}

// pagesListed are the pages of the charges' list that were asked for since the last time,
// of the slice that a moment is in.
func (s *scene) pagesListed(moment time.Time) (pages []*paymentsv1.ListChargesRequest) {
	s.world.set(func() {
		for _, r := range s.world.listed {
			if ofTheSweep(r) && !r.GetWindow().GetFrom().AsTime().After(moment) && r.GetWindow().GetBefore().AsTime().After(moment) {
				pages = append(pages, r)
			}
		}
		s.world.listed = nil
	})
	return pages
}

// One slice of a list may be thousands of pages long: what was read of it is not read
// again because a later page failed, or because a run had read enough.
func TestOfALongSliceNothingIsReadTwice(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	const charges, pages, fails = 1450, 15, 5
	for n := range charges { // some hundred of them in each second
		w.order(orderID(n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_%04d", n), old.Add(time.Duration(n/130)*time.Second), orderID(n)))
	}
	dial := s.instance(map[string]string{"DEEP_PASS_WINDOW": "1s"})
	s.historyIsRead()
	s.exec(`INSERT INTO reconciliation.cursors (name, read_before, moved_at) VALUES ('charges', $1, $1)`, old.Add(-time.Minute).Truncate(time.Second))
	begun := s.cursor("charges")
	asked := 0
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if !ofTheSweep(r) {
			return nil
		}
		if asked++; asked == fails {
			return errStripe
		}
		return nil
	})
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	hook(w, &w.onListCharges, nil)
	if read := s.pagesListed(old); len(read) != fails-1 {
		t.Fatalf("%d pages were read before one failed", len(read))
	}
	if !s.cursor("charges").Equal(begun) {
		t.Error("the cursor moved before the slice was read to its end")
	}
	// New ones come at the beginning of what is being read, which is past its place.
	s.clock.Advance(2 * time.Second)
	w.order(orderID(charges), ordersv1.Order_COMPLETE, w.charge("ch_new", s.clock.Now(), orderID(charges)))
	s.clock.Advance(2 * time.Second)

	s.clock.Ticks(30 * time.Second) // each page takes long
	run := s.startRun(dial)
	s.clock.Ticks(0)
	s.wantRun(run, pb.Run_SUCCEEDED)
	second := s.pagesListed(old)
	if len(second) != 10 || second[0].GetPageToken() == "" || !hasLine(run, "charges: 10 pages", "the next run goes on") {
		t.Fatalf("a run that takes too long has read %d pages: %v", len(second), run.GetDetails())
	}
	if !s.cursor("charges").Equal(begun) {
		t.Error("the cursor moved before the slice was read to its end")
	}
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	third := s.pagesListed(old)
	again := map[string]bool{}
	for _, r := range slices.Concat(second, third) {
		if again[r.GetPageToken()] {
			t.Errorf("page %q is read twice", r.GetPageToken())
		}
		again[r.GetPageToken()] = true
	}
	if n := fails - 1 + len(second) + len(third); n != pages {
		t.Errorf("%d pages were read in all", n)
	}
	if n := s.count(`SELECT count(*) FROM reconciliation.charge_dispositions WHERE disposition = 'MATCHED'`); n != charges+1 {
		t.Errorf("%d charges are matched", n)
	}
	if at := s.cursor("charges"); !at.Equal(s.clock.Now().Truncate(time.Microsecond)) {
		t.Errorf("the cursor is at %s, now is %s", at, s.clock.Now())
	}
}

// A page that can never be read holds the cursor and fails each run, and keeps nobody who
// pays from now on from being seen.
func TestWhatIsNewerThanAPageThatCannotBeReadIsSeen(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-time.Hour)
	for n := range 150 {
		w.order(orderID(n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_%03d", n), old, orderID(n)))
	}
	dial := s.instance(map[string]string{"DEEP_PASS_WINDOW": "1s", "DEEP_PASS_EVERY": "1000h"})
	s.historyIsRead()
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if r.GetPageToken() == "ch_050" {
			return errStripe
		}
		return nil
	})
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	begun := s.cursor("charges")
	for n := range 150 { // more than a page of what is newer
		w.order(orderID(300+n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_more_%03d", n), s.clock.Now().Add(30*time.Minute), orderID(300+n)))
	}
	for n := range 3 {
		s.clock.Advance(time.Hour)
		id := fmt.Sprintf("ch_new_%d", n)
		w.charge(id, s.clock.Now().Add(-time.Minute), orderID(200+n), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
		run := s.startRun(dial)
		s.wantRun(run, pb.Run_FAILED)
		s.wantDisposition(id, "RECOVERED")
		if run.GetErrors() != 1 || !s.cursor("charges").Equal(begun) {
			t.Errorf("the cursor is at %s, was at %s: %v", s.cursor("charges"), begun, run.GetDetails())
		}
	}
	// While nothing at all can be read, no run tries each part.
	asked := 0
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if len(r.GetChargeIds()) == 0 {
			asked++
		}
		return errStripe
	})
	s.clock.Advance(20 * 24 * time.Hour)
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	if asked > 2 {
		t.Errorf("%d pages were asked for", asked)
	}
	hook(w, &w.onListCharges, nil)
	w.set(func() { w.listed = nil })
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := s.count(`SELECT count(*) FROM reconciliation.charge_dispositions`); n != 303 {
		t.Errorf("%d charges are known", n)
	}
	if read := s.pagesListed(old); len(read) != 1 || read[0].GetPageToken() != "ch_050" {
		t.Errorf("of what was read in part is read %v", read)
	}
	if at := s.cursor("charges"); !at.Equal(s.clock.Now().Truncate(time.Microsecond)) {
		t.Errorf("the cursor is at %s, now is %s", at, s.clock.Now())
	}
}

// The charge that a place is named after may be gone at Stripe: its slice is read from the
// beginning then, and not never again.
func TestAPlaceThatStripeDoesNotKnowIsBegunAgain(t *testing.T) {
	s := newScene(t)
	w, now := s.world, s.clock.Now()
	for n := range 110 {
		w.order(orderID(n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_%03d", n), now.Add(-time.Hour), orderID(n)))
	}
	dial := s.instance(map[string]string{"DEEP_PASS_WINDOW": "1s"})
	s.historyIsRead()
	s.exec(`INSERT INTO reconciliation.cursors (name, read_before, moved_at) VALUES ('charges', $1, $1)`, now.Add(-3*time.Hour))
	s.exec(`INSERT INTO reconciliation.list_readings (name, slice_from, slice_before, read_before, page_token, read_at) VALUES ('charges', $1, $2, $2, 'ch_gone', $2)`,
		now.Add(-3*time.Hour), now.Add(-time.Minute))
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := s.count(`SELECT count(*) FROM reconciliation.charge_dispositions`); n != 110 {
		t.Errorf("%d charges are known", n)
	}
}

// A reading that was stopped in its middle ends at the time when it began: what comes
// after it is read with the overlap, too, for what Stripe lists late.
func TestTheOverlapIsReadAfterAReadingThatWasStopped(t *testing.T) {
	s := newScene(t)
	w, began := s.world, s.clock.Now()
	for n := range 150 {
		w.order(orderID(n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_%03d", n), began.Add(-time.Hour), orderID(n)))
	}
	dial := s.instance(map[string]string{"DEEP_PASS_WINDOW": "1s"})
	s.historyIsRead()
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if r.GetPageToken() != "" {
			return errStripe
		}
		return nil
	})
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	hook(w, &w.onListCharges, nil)
	s.clock.Advance(time.Hour)
	w.set(func() { w.listed = nil })
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	want := began.Add(-10 * time.Minute)
	if read := s.pagesListed(s.clock.Now().Add(-time.Minute)); len(read) != 1 || read[0].GetWindow().GetFrom().AsTime().Sub(want).Abs() > time.Second {
		t.Errorf("after the reading that was stopped is read %v, want from %s on", read, want)
	}
}

func TestOneBadChargeStopsNothing(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-30*time.Minute)
	w.charge("ch_bad", old, orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	w.charge("ch_good", old, orderID(2), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	w.order(orderID(3), ordersv1.Order_COMPLETE, w.charge("ch_unmatchable", old, orderID(3)))
	hook(w, &w.onRestore, func(id string) error {
		if id == "ch_bad" {
			return errors.New("a row is on fire")
		}
		return nil
	})
	hook(w, &w.onMatch, func(r *ordersv1.MatchChargesRequest) error {
		for _, k := range r.GetCharges() {
			if k.GetChargeId() == "ch_unmatchable" {
				return errors.New("this one cannot be matched")
			}
		}
		return nil
	})
	dial := s.instance(nil)
	run := s.startRun(dial)
	s.wantRun(run, pb.Run_SUCCEEDED)
	if run.GetErrors() == 0 {
		t.Error("no errors are counted")
	}
	s.wantDisposition("ch_bad", "OPEN")
	s.wantDisposition("ch_unmatchable", "OPEN")
	s.wantDisposition("ch_good", "RECOVERED")

	hook(w, &w.onRestore, nil)
	hook(w, &w.onMatch, nil)
	s.clock.Advance(20 * time.Minute) // past the overlap: only what is open is read again
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_bad", "RECOVERED")
	s.wantDisposition("ch_unmatchable", "MATCHED")
}

func TestAPendingChargeIsReadAgainUntilItsBankAnswers(t *testing.T) {
	s := newScene(t)
	w := s.world
	slow := func(c *paymentsv1.SeenCharge) { c.Status, c.Recorded = paymentsv1.SeenCharge_PENDING, false }
	paid := w.charge("ch_slow", s.clock.Now().Add(-time.Minute), orderID(1), slow)
	refused := w.charge("ch_refused", s.clock.Now().Add(-time.Minute), orderID(2), slow)
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})
	s.startRun(dial)
	s.wantDisposition("ch_slow", "OPEN")
	s.clock.Advance(72 * time.Hour)
	w.set(func() { paid.Status, refused.Status = paymentsv1.SeenCharge_SUCCEEDED, paymentsv1.SeenCharge_FAILED })
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_slow", "RECOVERED")
	s.wantDisposition("ch_refused", "")
	w.set(func() { w.listed = nil })
	s.startRun(dial)
	w.set(func() {
		for _, r := range w.listed {
			if len(r.GetChargeIds()) > 0 {
				t.Errorf("%v are read again although they are at rest", r.GetChargeIds())
			}
		}
	})
}

// waiting puts n charges at Stripe of which the first run finds that they are pending.
func (s *scene) waiting(dial grpcclient.Dialer, n int) {
	s.t.Helper()
	for i := range n {
		s.world.charge(fmt.Sprintf("ch_%03d", i), s.clock.Now().Add(-time.Hour), orderID(i), func(c *paymentsv1.SeenCharge) {
			c.Status, c.Recorded = paymentsv1.SeenCharge_PENDING, false
		})
	}
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.clock.Advance(72 * time.Hour)
	s.world.set(func() {
		for _, c := range s.world.charges {
			c.Status = paymentsv1.SeenCharge_SUCCEEDED
		}
	})
}

func (s *scene) recovered() int {
	s.t.Helper()
	return s.count(`SELECT count(*) FROM reconciliation.charge_dispositions WHERE disposition = 'RECOVERED'`)
}

// One charge of which Stripe gives no answer keeps no other from being read again, those
// of its page as little as those behind it, and is read again itself until it can be.
func TestAChargeThatCannotBeReadKeepsNoOtherFromIt(t *testing.T) {
	s := newScene(t)
	w, dial := s.world, s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})
	s.waiting(dial, 250)
	w.set(func() { w.unreadable = map[string]bool{"ch_000": true, "ch_120": true} })
	run := s.startRun(dial)
	s.wantRun(run, pb.Run_SUCCEEDED)
	if n := s.recovered(); n != 248 || run.GetErrors() != 2 || !hasLine(run, "ch_000", "the next run reads it again") || !hasLine(run, "ch_120", "the next run reads it again") {
		t.Errorf("%d charges are recovered, and the run has %d errors: %v", n, run.GetErrors(), run.GetDetails())
	}
	w.set(func() { w.unreadable = nil })
	s.clock.Advance(2 * time.Minute)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := s.recovered(); n != 250 {
		t.Errorf("%d charges are recovered after the next run", n)
	}
}

// A whole page that cannot be read is a run's failure, and what is behind it is read all
// the same: unless that takes as long as one list may.
func TestAPageThatCannotBeReadAgainKeepsNoOtherFromIt(t *testing.T) {
	for name, c := range map[string]struct {
		takes     time.Duration
		recovered int
	}{"quickly": {0, 150}, "for long": {5 * time.Minute, 0}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			w, dial := s.world, s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})
			s.waiting(dial, 250)
			hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
				if slices.Contains(r.GetChargeIds(), "ch_042") {
					s.clock.Advance(c.takes)
					return errStripe
				}
				return nil
			})
			run := s.startRun(dial)
			s.wantRun(run, pb.Run_FAILED)
			if n := s.recovered(); n != c.recovered || run.GetErrors() != 1 || !hasLine(run, "not at rest", "cannot be read again") {
				t.Errorf("%d charges are recovered, want %d: %v", n, c.recovered, run.GetDetails())
			}
			hook(w, &w.onListCharges, nil)
			s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
			if n := s.recovered(); n != 250 {
				t.Errorf("%d charges are recovered after the next run", n)
			}
		})
	}
}

// A charge that cannot be matched keeps no other one of its page from being read, also
// where it is the only one that needs something: it is not taken for one without an order,
// and its order is not taken for one that is gone.
func TestAChargeThatCannotBeMatchedIsNoLoss(t *testing.T) {
	s := newScene(t)
	w := s.world
	for n := range 2 {
		w.order(orderID(n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_%d", n), s.clock.Now().Add(-time.Minute), orderID(n)))
	}
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	hook(w, &w.onMatch, func(r *ordersv1.MatchChargesRequest) error {
		for _, k := range r.GetCharges() {
			if k.GetChargeId() == "ch_1" {
				return errors.New("this one cannot be matched")
			}
		}
		return nil
	})
	s.clock.Advance(time.Minute)
	read := s.cursor("charges")
	run := s.startRun(dial)
	s.wantDisposition("ch_0", "MATCHED")
	if kind, _, reason := s.disposition("ch_1"); kind != "OPEN" || !strings.Contains(reason, "which order it has is not known; it cannot be matched now") {
		t.Errorf("it is %s: %s", kind, reason)
	}
	told := 0
	w.set(func() { told = w.restored["ch_1"] + w.adopted["ch_1"] })
	if hasLine(run, "everything is read again") || !s.cursor("charges").After(read) || told != 0 {
		t.Errorf("the cursor is at %s, was at %s; told %d times: %v", s.cursor("charges"), read, told, run.GetDetails())
	}
	hook(w, &w.onMatch, nil)
	s.clock.Advance(time.Minute)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_1", "MATCHED")
}

// A run that meets a charge again, because a case names it, counts it once.
func TestAChargeIsCountedOnceInARun(t *testing.T) {
	s := newScene(t)
	w := s.world
	w.charge("ch_bad", s.clock.Now().Add(-time.Hour), orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	tries := 0
	hook(w, &w.onRestore, func(string) error {
		w.set(func() { tries++ })
		return errors.New("a row is on fire")
	})
	dial := s.instance(nil)
	if _, err := s.client(dial, "orders").OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: pb.Case_WRONG_CHARGE, Subject: "order/" + orderID(1), Summary: "charge ch_bad is wrong"}); err != nil {
		t.Fatal(err)
	}
	run := s.startRun(dial)
	s.wantRun(run, pb.Run_SUCCEEDED)
	if tries < 2 || run.GetChargesChecked() != 1 || run.GetOrphansFound() != 1 || run.GetOrphansRecovered() != 0 || run.GetDispositions()["OPEN"] != 1 {
		t.Errorf("tried %d times: %v", tries, run)
	}
}

// After an outage thousands may be open, and Stripe slow: a run leaves some to the next,
// which begins with those.
func TestARunLeavesOpenChargesThatTakeLong(t *testing.T) {
	s := newScene(t)
	w, dial := s.world, s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})
	s.waiting(dial, 350)
	w.set(func() {
		for _, c := range w.charges {
			c.Status = paymentsv1.SeenCharge_PENDING // and so they stay
		}
	})
	read := map[string]int{}
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if len(r.GetChargeIds()) > 0 {
			w.set(func() {
				for _, id := range r.GetChargeIds() {
					read[id]++
				}
			})
			s.clock.Advance(40 * time.Second)
		}
		return nil
	})
	for i, want := range []int{200, 350} {
		run := s.startRun(dial)
		s.wantRun(run, pb.Run_SUCCEEDED)
		w.set(func() {
			if len(read) != want || i == 0 && !hasLine(run, "not at rest", "the next run goes on") {
				t.Errorf("run %d: %d charges are read again, want %d: %v", i, len(read), want, run.GetDetails())
			}
		})
	}
}

// A refund's charge that cannot be read is due in the next run: the list goes on.
func TestARefundWhoseChargeCannotBeReadIsSeenLater(t *testing.T) {
	s := newScene(t)
	w, dial := s.world, s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})
	for i, id := range []string{"ch_bad", "ch_good"} {
		w.order(orderID(i), ordersv1.Order_COMPLETE, w.charge(id, s.clock.Now().Add(-5*24*time.Hour), orderID(i)))
	}
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.clock.Advance(time.Hour)
	w.set(func() {
		for _, c := range w.charges {
			c.RefundedMinor = 24900
		}
		w.followed, w.unreadable = []string{"ch_bad", "ch_good"}, map[string]bool{"ch_bad": true}
	})
	read := s.cursor("refunds")
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_good", "REFUNDED")
	s.wantDisposition("ch_bad", "MATCHED")
	if !s.cursor("refunds").After(read) {
		t.Error("the cursor over refunds stays for a charge that is due by itself")
	}
	w.set(func() { w.unreadable = nil })
	s.clock.Advance(time.Hour)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_bad", "REFUNDED")

	// One that no run has seen is due nowhere else: its page was not read.
	w.charge("ch_unseen", s.clock.Now().Add(-400*24*time.Hour), orderID(9))
	w.set(func() {
		w.followed, w.unreadable = []string{"ch_unseen", "ch_good"}, map[string]bool{"ch_unseen": true}
	})
	read = s.cursor("refunds")
	s.clock.Advance(time.Hour)
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	if !s.cursor("refunds").Equal(read) {
		t.Error("the cursor moved over a charge that nothing reads again")
	}
}

func TestANewChargeIsLeftToItsBuyersRequest(t *testing.T) {
	s := newScene(t)
	s.world.charge("ch_new", s.clock.Now(), orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	s.instance(map[string]string{"RECONCILE_EVERY": "2m"})
	finished := func(n int) func() bool {
		return func() bool {
			return s.count(`SELECT count(*) FROM reconciliation.runs WHERE status = 'SUCCEEDED'`) == n
		}
	}
	await(t, "a run", finished(1))
	s.wantDisposition("ch_new", "OPEN")
	s.world.set(func() {
		if s.world.adopted["ch_new"] != 0 {
			t.Error("it was adopted at once")
		}
	})
	s.clock.Advance(2 * time.Minute)
	await(t, "the next run", finished(2))
	s.wantDisposition("ch_new", "RECOVERED")
}

func TestTheDeepPassFindsWhatIsOldAndGoesOnWhereItWasStopped(t *testing.T) {
	s := newScene(t)
	w, now := s.world, s.clock.Now()
	for n := range 150 {
		w.order(orderID(n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_%03d", n), now.Add(-20*24*time.Hour), orderID(n)))
	}
	w.charge("ch_forty_days", now.Add(-40*24*time.Hour), orderID(200), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	var stop atomic.Bool
	stop.Store(true)
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if old := now.Add(-30 * 24 * time.Hour); stop.Load() && len(r.GetChargeIds()) == 0 && (r.GetPageToken() != "" || r.GetWindow().GetFrom().AsTime().Before(old)) {
			return errStripe
		}
		return nil
	})
	dial := s.instance(nil)
	s.historyIsRead()
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	s.wantDisposition("ch_forty_days", "")
	if n := s.count(`SELECT count(*) FROM reconciliation.deep_pass_slices WHERE finished_at IS NULL AND page_token <> ''`); n != 1 {
		t.Errorf("of %d slices a first page is known to be read", n)
	}
	stop.Store(false)
	w.set(func() { w.listed = nil })
	run := s.startRun(dial)
	s.wantRun(run, pb.Run_SUCCEEDED)
	s.wantDisposition("ch_forty_days", "RECOVERED")
	if run.GetOrphansRecovered() != 1 || !hasLine(run, "deep pass", "every charge") {
		t.Errorf("the run is %v", run)
	}
	w.set(func() {
		deep := 0
		for _, r := range w.listed {
			if r.GetPageToken() != "" {
				deep++
			}
		}
		if deep != 1 {
			t.Errorf("%d pages were read to finish the pass", deep)
		}
	})
	s.startRun(dial)
	s.clock.Advance(25 * time.Hour)
	s.startRun(dial)
	if n := s.count(`SELECT count(*) FROM reconciliation.deep_passes WHERE finished_at IS NOT NULL AND NOT abandoned AND why IN ('the first', 'daily')`); n != 2 {
		t.Errorf("%d passes in two days", n)
	}
}

// While Stripe is slow a run reads little of a deep pass: customers who pay meanwhile are
// the next run's, and a run that does not end looks like one that has stopped.
func TestARunLeavesADeepPassThatTakesLong(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-20*24*time.Hour)
	const charges = 1150 // of one slice
	for n := range charges {
		w.order(orderID(n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_%04d", n), old, orderID(n)))
	}
	dial := s.instance(map[string]string{"DEEP_PASS_READERS": "1"})
	s.historyIsRead()
	left := func() int {
		return s.count(`SELECT count(*) FROM reconciliation.deep_pass_slices WHERE finished_at IS NULL AND page_token <> ''`)
	}
	s.clock.Ticks(30 * time.Second) // each page takes long
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.clock.Ticks(0)
	if n := s.count(`SELECT count(*) FROM reconciliation.charge_dispositions`); left() != 1 || n > 1000 || n == 0 {
		t.Errorf("%d charges were read, of %d slices a part", n, left())
	}
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := s.count(`SELECT count(*) FROM reconciliation.charge_dispositions WHERE disposition = 'MATCHED'`); left() != 0 || n != charges {
		t.Errorf("%d charges are matched after the next run", n)
	}
}

// A machine that slept for a day in the middle of a run: the next pass is the next run's,
// because no pass that this run begins would ever be a day younger than it.
func TestARunThatOutlastsADayReadsOnePass(t *testing.T) {
	s := newScene(t)
	s.world.order(orderID(1), ordersv1.Order_COMPLETE, s.world.charge("ch_1", s.clock.Now().Add(-20*24*time.Hour), orderID(1)))
	long := s.clock.Now().Add(-100 * 24 * time.Hour)
	var slept sync.Once
	hook(s.world, &s.world.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if len(r.GetChargeIds()) == 0 && r.GetWindow().GetFrom().AsTime().Before(long) {
			slept.Do(func() { s.clock.Advance(25 * time.Hour) })
		}
		return nil
	})
	dial := s.instance(nil)
	passes := func() int {
		return s.count(`SELECT count(*) FROM reconciliation.deep_passes WHERE finished_at IS NOT NULL AND why IN ('the first', 'daily')`)
	}
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := passes(); n != 1 {
		t.Errorf("one run read %d passes", n)
	}
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if n := passes(); n != 2 {
		t.Errorf("after the next run there are %d passes", n)
	}
}

func TestTheDeepPassReadsSeveralSlicesAtOnce(t *testing.T) {
	s := newScene(t)
	old := s.clock.Now().Add(-3 * 24 * time.Hour)
	s.world.charge("ch_old", old.Add(-30*24*time.Hour), orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	var reading atomic.Int64
	several := make(chan struct{})
	hook(s.world, &s.world.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if len(r.GetChargeIds()) > 0 || r.GetWindow().GetFrom().AsTime().After(old) {
			return nil
		}
		if reading.Add(1) == 3 { // each waits for others, unless they come one after the other
			close(several)
		}
		select {
		case <-several:
			return nil
		case <-time.After(30 * time.Second):
			return errStripe
		}
	})
	s.wantRun(s.startRun(s.instance(nil)), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_old", "RECOVERED")
	if n := s.count(`SELECT count(*) FROM reconciliation.deep_passes WHERE finished_at IS NOT NULL AND pages_read = 16 AND why = 'the first'`); n != 1 {
		t.Errorf("%d passes read all slices", n)
	}
}

func TestARestoredDatabaseIsNoticed(t *testing.T) {
	for name, lose := range map[string]func(w *fakeWorld){
		"orders": func(w *fakeWorld) { // an hour of orders, and their history
			delete(w.orders, orderID(1))
			w.ordersHistory = 1
		},
		"orders that has written much since": func(w *fakeWorld) {
			delete(w.orders, orderID(1))
			w.ordersHistory = 1000
		},
		"provisioning": func(w *fakeWorld) {
			delete(w.grants, orderID(1))
			w.grantsHistory = 1
		},
		"provisioning that has written much since": func(w *fakeWorld) {
			delete(w.grants, orderID(1))
			w.grantsHistory = 1000
		},
		"payments": func(w *fakeWorld) { w.charges["ch_1"].Recorded = false },
		// What is lost need not be among the newest.
		"orders, as only its history says":       func(w *fakeWorld) { w.ordersHistory = 1 },
		"provisioning, as only its history says": func(w *fakeWorld) { w.grantsHistory = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			w := s.world
			w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_1", s.clock.Now().Add(-50*time.Minute), orderID(1)))
			w.order(orderID(2), ordersv1.Order_COMPLETE, w.charge("ch_2", s.clock.Now().Add(-90*time.Minute), orderID(2)))
			dial := s.instance(nil)
			s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
			s.wantDisposition("ch_1", "MATCHED")
			s.clock.Advance(10 * time.Minute)
			w.set(func() { lose(w) })
			run := s.startRun(dial)
			s.wantRun(run, pb.Run_SUCCEEDED)
			if !hasLine(run, "restored from a backup") || !hasLine(run, "deep pass", "records were lost") {
				t.Errorf("details: %s", strings.Join(run.GetDetails(), "\n"))
			}
			if kind, _, reason := s.disposition("ch_1"); kind != "RECOVERED" && kind != "MATCHED" {
				t.Errorf("the lost one is %s: %s", kind, reason)
			}
			w.set(func() {
				if !w.grants[orderID(1)] || w.orders[orderID(1)] == nil {
					t.Error("it was not rebuilt")
				}
			})
			if again := s.startRun(dial); hasLine(again, "restored") {
				t.Errorf("noticed twice: %v", again.GetDetails())
			}
		})
	}
}

// A grant that comes back from a backup, although its money went back since, is withdrawn
// again: whoever was refunded, or has won a dispute, does not get the access for nothing.
func TestAWithdrawalThatProvisioningLostIsMadeAgain(t *testing.T) {
	s := newScene(t)
	w, made := s.world, s.clock.Now().Add(-50*time.Minute)
	var refunded, disputed *fakeOrder
	w.order(orderID(1), ordersv1.Order_COMPLETE, w.charge("ch_refunded", made, orderID(1)), func(o *fakeOrder) { refunded = o })
	w.order(orderID(2), ordersv1.Order_COMPLETE, w.charge("ch_lost", made, orderID(2)), func(o *fakeOrder) { disputed = o })
	w.order(orderID(3), ordersv1.Order_COMPLETE, w.charge("ch_kept", made, orderID(3)))
	w.set(func() {
		w.charges["ch_refunded"].RefundedMinor, w.charges["ch_lost"].Disputed = 24900, true
		refunded.State, refunded.RefundedMinor, refunded.AccessWithdrawnAt = ordersv1.Order_REFUNDED, 24900, timestamppb.New(s.clock.Now())
		disputed.Dispute, disputed.AccessWithdrawnAt = paymentsv1.Payment_LOST, timestamppb.New(s.clock.Now())
		w.grants[orderID(1)], w.grants[orderID(2)] = false, false
	})
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_refunded", "REFUNDED")
	s.wantDisposition("ch_lost", "MATCHED")
	s.clock.Advance(3 * time.Hour) // no list shows the charges any more
	w.set(func() {
		w.grants[orderID(1)], w.grants[orderID(2)], w.grantsHistory = true, true, 1
		w.advanced = map[string]int{}
	})
	run := s.startRun(dial)
	s.wantRun(run, pb.Run_SUCCEEDED)
	w.set(func() {
		if w.grants[orderID(1)] || w.grants[orderID(2)] || !w.grants[orderID(3)] || w.advanced[orderID(3)] != 0 {
			t.Errorf("access is %v, advanced %v: %v", w.grants, w.advanced, run.GetDetails())
		}
	})
	s.wantDisposition("ch_refunded", "REFUNDED")
	s.wantDisposition("ch_lost", "MATCHED")
	if !hasLine(run, "ch_refunded", "withdrawn again") || !hasLine(run, "ch_lost", "withdrawn again") {
		t.Errorf("the run does not say so: %v", run.GetDetails())
	}
	w.set(func() { w.advanced = map[string]int{} })
	s.startRun(dial)
	w.set(func() {
		if len(w.advanced) != 0 {
			t.Errorf("advanced again: %v", w.advanced)
		}
	})
}

// A loss counts as noticed when everything is to be read again, and not before.
func TestALossIsNoticedUntilAPassHasBegun(t *testing.T) {
	s := newScene(t)
	s.shop()
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.world.set(func() { s.world.ordersHistory = 1 })
	s.exec(`ALTER TABLE reconciliation.deep_passes ADD CONSTRAINT none_begins CHECK (false) NOT VALID`)
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	s.exec(`ALTER TABLE reconciliation.deep_passes DROP CONSTRAINT none_begins`)
	run := s.startRun(dial)
	s.wantRun(run, pb.Run_SUCCEEDED)
	if !hasLine(run, "restored from a backup") || !hasLine(run, "deep pass", "records were lost") {
		t.Errorf("details: %s", strings.Join(run.GetDetails(), "\n"))
	}
}

// A database that is restored once more while everything is read again has it read anew.
func TestASecondLossIsNotTheFirst(t *testing.T) {
	s := newScene(t)
	s.shop()
	w, dial := s.world, s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if len(r.GetChargeIds()) == 0 && s.clock.Now().Sub(r.GetWindow().GetFrom().AsTime()) > 100*24*time.Hour {
			return errStripe
		}
		return nil
	})
	for position := range int64(2) {
		w.set(func() { w.ordersHistory = 2 - position })
		s.clock.Advance(time.Minute)
		s.wantRun(s.startRun(dial), pb.Run_FAILED)
	}
	if n := s.count(`SELECT count(*) FROM reconciliation.deep_passes WHERE why LIKE 'records were lost%' AND abandoned`); n != 1 {
		t.Errorf("%d of the two readings were given up for another", n)
	}
}

// A loss that a run notices after its deep pass, and mends by the way, still has
// everything read again: more may be gone than what was seen.
func TestALossThatIsNoticedLateIsNotForgotten(t *testing.T) {
	s := newScene(t)
	s.shop()
	w := s.world
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.clock.Advance(time.Hour)
	// One that differs is read again at the run's end; at this moment its order is lost.
	c := w.charge("ch_odd", s.clock.Now().Add(-time.Minute), orderID(90))
	w.order(orderID(90), ordersv1.Order_COMPLETE, c)
	w.set(func() { w.balance[len(w.balance)-1].AmountMinor--; w.balance[len(w.balance)-1].NetMinor-- })
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if len(r.GetChargeIds()) > 0 {
			w.set(func() {
				delete(w.orders, orderID(90))
				delete(w.grants, orderID(90))
			})
		}
		return nil
	})
	run := s.startRun(dial)
	w.set(func() { w.onListCharges = nil })
	s.wantDisposition("ch_odd", "RECOVERED")
	if !hasLine(run, "restored from a backup") {
		t.Fatalf("it was not noticed: %v", run.GetDetails())
	}
	s.clock.Advance(time.Minute)
	if next := s.startRun(dial); !hasLine(next, "deep pass", "records were lost") {
		t.Errorf("the next run: %v", next.GetDetails())
	}
}

func TestRefundsAndDisputesAreFollowed(t *testing.T) {
	s := newScene(t)
	w, old := s.world, s.clock.Now().Add(-5*24*time.Hour)
	part := w.charge("ch_part", old, orderID(1))
	full := w.charge("ch_full", old, orderID(2))
	w.order(orderID(1), ordersv1.Order_COMPLETE, part)
	w.order(orderID(2), ordersv1.Order_COMPLETE, full)
	w.order(orderID(3), ordersv1.Order_COMPLETE, w.charge("ch_disputed", old, orderID(3), func(c *paymentsv1.SeenCharge) { c.Disputed = true }))
	dial := s.instance(nil)
	s.startRun(dial)
	s.wantDisposition("ch_disputed", "MATCHED")
	w.set(func() {
		if w.orders[orderID(3)].GetDispute() != paymentsv1.Payment_OPEN {
			t.Error("Orders does not know of the dispute")
		}
		part.RefundedMinor, full.RefundedMinor = 1000, 24900
		w.orders[orderID(1)].RefundedMinor = 1000 // Payments told it
		w.followed, w.failed = []string{"ch_part"}, []string{"ch_full"}
	})
	s.clock.Advance(time.Hour)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_part", "MATCHED")
	s.wantDisposition("ch_full", "REFUNDED")
	if n := s.count(`SELECT sum(refunded_minor) FROM reconciliation.charge_dispositions`); n != 25900 {
		t.Errorf("%d are refunded", n)
	}
	w.set(func() {
		if w.orders[orderID(2)].State != ordersv1.Order_REFUNDED {
			t.Error("the order whose refund could not be followed was not told")
		}
		for _, kind := range []string{"events", "refunds", "disputes"} {
			last := w.windows[kind][len(w.windows[kind])-1]
			if d := s.clock.Now().Sub(last.GetFrom().AsTime()); d > 71*time.Minute {
				t.Errorf("%s are read from %s ago", kind, d)
			}
		}
	})
}

func TestARefundThatOthersKnowAlreadyIsSeen(t *testing.T) {
	s := newScene(t)
	w := s.world
	c := w.charge("ch_1", s.clock.Now().Add(-5*24*time.Hour), orderID(1))
	w.order(orderID(1), ordersv1.Order_COMPLETE, c)
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h"})
	s.startRun(dial)
	s.clock.Advance(time.Hour)
	w.set(func() { // support refunded it: Payments and Orders knew first
		c.RefundedMinor = 24900
		o := w.orders[orderID(1)]
		o.State, o.RefundedMinor, o.AccessWithdrawnAt = ordersv1.Order_REFUNDED, 24900, timestamppb.New(s.clock.Now())
	})
	w.movement("refund", "re_1", "ch_1", -24900, s.clock.Now())
	s.clock.Advance(2 * time.Minute)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.wantDisposition("ch_1", "REFUNDED")
	w.set(func() { w.listed = nil })
	s.startRun(dial)
	w.set(func() {
		for _, r := range w.listed {
			if len(r.GetChargeIds()) > 0 {
				t.Errorf("%v are read again although nothing moved", r.GetChargeIds())
			}
		}
	})
	if r := s.report(dial, time.Time{}, time.Time{}); r.GetDifferenceCount() != 0 {
		t.Errorf("differences: %v", r.GetDifferences())
	}
}

// A page of charges is read at once, and then worked on for as long as it takes: money
// that moves meanwhile is not in what was read.
func TestARefundWhileItsPageIsWorkedOnIsSeen(t *testing.T) {
	s := newScene(t)
	w, made := s.world, s.clock.Now().Add(-5*24*time.Hour)
	c := w.charge("ch_1", made, orderID(1))
	w.order(orderID(1), ordersv1.Order_COMPLETE, c)
	w.charge("ch_slow", made, orderID(2), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	hook(w, &w.onRestore, func(string) error {
		w.set(func() { // support refunded it: Payments and Orders knew first
			c.RefundedMinor = 24900
			o := w.orders[orderID(1)]
			o.State, o.RefundedMinor, o.AccessWithdrawnAt = ordersv1.Order_REFUNDED, 24900, timestamppb.New(s.clock.Now())
		})
		w.movement("refund", "re_1", "ch_1", -24900, s.clock.Now())
		s.clock.Advance(5 * time.Minute)
		return nil
	})
	// The pass never ends: at its end everything is compared, which would find it too.
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if len(r.GetChargeIds()) == 0 && r.GetWindow().GetFrom().AsTime().Before(made.Add(-100*24*time.Hour)) {
			return errStripe
		}
		return nil
	})
	dial := s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	s.wantDisposition("ch_slow", "RECOVERED")
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	s.wantDisposition("ch_1", "REFUNDED")
}

// A report reads the movements too, and moves the cursor over them: what it met is
// left to the next run, also while nothing is compared because a case is open.
func TestARefundThatAReportMetFirstIsSeen(t *testing.T) {
	s := newScene(t)
	w := s.world
	c := w.charge("ch_1", s.clock.Now().Add(-5*24*time.Hour), orderID(1))
	w.order(orderID(1), ordersv1.Order_COMPLETE, c)
	w.order(orderID(2), ordersv1.Order_COMPLETE, w.charge("ch_cent", s.clock.Now().Add(-time.Hour), orderID(2)))
	w.set(func() { w.balance[len(w.balance)-1].AmountMinor--; w.balance[len(w.balance)-1].NetMinor-- })
	dial := s.instance(map[string]string{"DEEP_PASS_EVERY": "1000h", "RECONCILE_EVERY": "1h"})
	runs := func(n int) {
		t.Helper()
		await(t, "a run ends well", func() bool {
			return s.count(`SELECT count(*) FROM reconciliation.runs WHERE status = 'SUCCEEDED'`) == n
		})
	}
	runs(1)
	if n := s.openCases("DISCREPANCY"); n != 1 {
		t.Fatalf("%d cases about a cent", n)
	}
	s.clock.Advance(10 * time.Minute)
	w.set(func() { // support refunded it: Payments and Orders knew first
		c.RefundedMinor = 24900
		o := w.orders[orderID(1)]
		o.State, o.RefundedMinor, o.AccessWithdrawnAt = ordersv1.Order_REFUNDED, 24900, timestamppb.New(s.clock.Now())
	})
	w.movement("refund", "re_1", "ch_1", -24900, s.clock.Now())
	s.clock.Advance(20 * time.Minute)
	s.report(dial, time.Time{}, time.Time{})
	s.wantDisposition("ch_1", "MATCHED") // a report examines no charge
	s.clock.Advance(30 * time.Minute)
	runs(2)
	s.wantDisposition("ch_1", "REFUNDED")
	if n := s.count(`SELECT count(*) FROM reconciliation.charge_dispositions WHERE charge_id = 'ch_1' AND read_again_at IS NOT NULL`); n != 0 {
		t.Error("it is read in each run from now on")
	}
}

func TestAnUnsentConfirmationIsSentFor(t *testing.T) {
	s := newScene(t)
	w := s.world
	confirm := func(key string, ago time.Duration) *ordersv1.CompletedOrder {
		return &ordersv1.CompletedOrder{OrderId: orderID(1), CompletedAt: timestamppb.New(s.clock.Now().Add(-ago)), DedupeKey: key, MessageKind: "CONFIRMATION"}
	}
	w.set(func() {
		w.completed = []*ordersv1.CompletedOrder{confirm("refused", 5*time.Minute), confirm("lost", 4*time.Minute), confirm("sent", 3*time.Minute), confirm("young", time.Minute)}
		w.messages["sent"] = 1
		w.added = 7
	})
	dial := s.instance(nil)
	run := s.startRun(dial)
	s.wantRun(run, pb.Run_FAILED)
	if run.GetConfirmationsSent() != 1 || run.GetEventsAdded() != 7 || s.cursor("confirmations").After(s.clock.Now().Add(-5*time.Minute)) {
		t.Errorf("the run is %v", run)
	}
	w.set(func() { w.completed = w.completed[1:] })
	s.clock.Advance(2 * time.Minute)
	run = s.startRun(dial)
	s.wantRun(run, pb.Run_SUCCEEDED)
	w.set(func() {
		if run.GetConfirmationsSent() != 1 || w.messages["lost"] != 1 || w.messages["sent"] != 1 || w.messages["young"] != 1 {
			t.Errorf("sent %d, messages %v", run.GetConfirmationsSent(), w.messages)
		}
	})
}

func TestADryRunChangesNothing(t *testing.T) {
	s := newScene(t)
	w := s.world
	w.charge("ch_orphan", s.clock.Now().Add(-time.Hour), orderID(1), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	w.order(orderID(2), ordersv1.Order_PENDING, w.charge("ch_unheard", s.clock.Now().Add(-time.Hour), orderID(2)))
	w.charge("ch_unclear", s.clock.Now().Add(-time.Hour), "", func(c *paymentsv1.SeenCharge) { c.Owner = paymentsv1.SeenCharge_UNCLEAR })
	for n := range 110 { // more than a page
		w.order(orderID(100+n), ordersv1.Order_COMPLETE, w.charge(fmt.Sprintf("ch_%03d", n), s.clock.Now().Add(-time.Hour), orderID(100+n)))
	}
	s.orders.add(orderID(3), ordersv1.Order_CHARGED, s.clock.Now().Add(-time.Hour), nil)
	w.set(func() {
		w.completed = []*ordersv1.CompletedOrder{{OrderId: orderID(4), CompletedAt: timestamppb.New(s.clock.Now().Add(-time.Hour)), DedupeKey: "unsent", MessageKind: "CONFIRMATION"}}
	})
	dial := s.instance(nil)
	run, err := s.client(dial, "gateway").StartRun(s.support(), &pb.StartRunRequest{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	s.wantRun(run, pb.Run_SUCCEEDED)
	if !run.GetDryRun() || run.GetOrphansFound() != 1 || run.GetOrphansRecovered() != 0 || run.GetStuckFound() != 1 ||
		!hasLine(run, "ch_orphan", "would be told") || !hasLine(run, "ch_unheard", "would be advanced") || !hasLine(run, "UNCLEAR_EVENT") ||
		run.GetConfirmationsSent() != 0 || !hasLine(run, orderID(4), "it would be") {
		t.Errorf("the run is %v", run)
	}
	for _, table := range []string{"charge_dispositions", "cursors", "cases", "deep_passes", "deep_pass_slices", "history_marks", "balance_transactions", "list_readings", "disputes", "audit"} {
		if n := s.count("SELECT count(*) FROM reconciliation." + table); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	w.set(func() {
		if len(w.adopted)+len(w.restored)+len(w.advanced)+len(w.windows)+len(w.messages) != 0 || s.orders.advanced[orderID(3)] != 0 {
			t.Errorf("adopted %v, restored %v, advanced %v, read %v, asked for %v", w.adopted, w.restored, w.advanced, w.windows, w.messages)
		}
	})
}

// What a run has left behind changes by a dry one as little: not the cases whose problem
// is gone, and not what is known of records that are lost.
func TestADryRunLeavesWhatIsKnown(t *testing.T) {
	s := newScene(t)
	s.shop()
	w, dial := s.world, s.instance(nil)
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	if _, err := s.client(dial, "orders").OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: pb.Case_WRONG_CHARGE, Subject: "order/" + orderID(2), Summary: "charge ch_02 is wrong"}); err != nil {
		t.Fatal(err)
	}
	// Who waits because of it is found out by itself, and is not the run's.
	await(t, "the case is looked after", func() bool {
		return s.count(`SELECT count(*) FROM reconciliation.cases WHERE next_look_at IS NULL`) == 1
	})
	w.set(func() {
		delete(w.orders, orderID(1))
		delete(w.grants, orderID(1))
		w.ordersHistory, w.grantsHistory = 1, 1
	})
	known := func() (all string) {
		t.Helper()
		if err := s.owner.QueryRow(t.Context(), `SELECT jsonb_build_array((SELECT jsonb_agg(m ORDER BY name) FROM reconciliation.history_marks AS m), (SELECT jsonb_agg(p ORDER BY id) FROM reconciliation.deep_passes AS p),
			(SELECT jsonb_agg(c ORDER BY id) FROM reconciliation.cases AS c), (SELECT jsonb_agg(d ORDER BY charge_id) FROM reconciliation.charge_dispositions AS d), (SELECT jsonb_agg(c ORDER BY name) FROM reconciliation.cursors AS c))::text`).Scan(&all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := known()
	s.clock.Advance(time.Minute)
	run, err := s.client(dial, "gateway").StartRun(s.support(), &pb.StartRunRequest{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	s.wantRun(run, pb.Run_SUCCEEDED)
	if !hasLine(run, "restored from a backup", "would be read again") {
		t.Errorf("the run is %v", run.GetDetails())
	}
	if after := known(); after != before {
		t.Errorf("it was\n%s\nand is\n%s", before, after)
	}
}

func TestARunKilledInTheMiddleOfTheChargesIsCoveredByTheNext(t *testing.T) {
	s := newScene(t)
	w := s.world
	for n := range 150 {
		w.charge(fmt.Sprintf("ch_%03d", n), s.clock.Now().Add(-time.Hour), orderID(n), func(c *paymentsv1.SeenCharge) { c.Recorded = false })
	}
	begun, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	hook(w, &w.onListCharges, func(r *paymentsv1.ListChargesRequest) error {
		if r.GetPageToken() != "" {
			once.Do(func() { close(begun) })
			<-release
		}
		return nil
	})
	service := exec.Command(os.Args[0])
	for k, v := range s.env(map[string]string{asService: "yes", "RECONCILE_EVERY": "1h", "RECONCILIATION_GRPC_LISTEN": "127.0.0.1:0"}) {
		service.Env = append(service.Env, k+"="+v)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-begun:
	case <-time.After(30 * time.Second):
		t.Error("the second page was not read")
	}
	_ = service.Process.Kill()
	_ = service.Wait()
	close(release)
	if n := s.count(`SELECT count(*) FROM reconciliation.charge_dispositions`); n != 100 || s.cursor("charges").After(s.clock.Now().Add(-time.Hour)) {
		t.Errorf("%d charges are kept of the killed run, the cursor is at %s", n, s.cursor("charges"))
	}
	s.clock.Advance(time.Minute)
	first, second := s.instance(nil), s.instance(nil)
	var wg sync.WaitGroup
	for _, dial := range []func(){
		func() { _, _ = s.client(first, "gateway").StartRun(s.support(), &pb.StartRunRequest{}) },
		func() { _, _ = s.client(second, "gateway").StartRun(s.support(), &pb.StartRunRequest{}) },
	} {
		wg.Go(dial)
	}
	wg.Wait()
	if n := s.count(`SELECT count(*) FROM reconciliation.charge_dispositions WHERE disposition = 'RECOVERED'`); n != 150 {
		t.Errorf("%d charges are recovered", n)
	}
	w.set(func() {
		for id, n := range w.adopted {
			if n != 1 {
				t.Errorf("%s was adopted %d times", id, n)
			}
		}
	})
}

func TestARunCanBeWatched(t *testing.T) {
	s := newScene(t)
	begun, release := make(chan struct{}), make(chan struct{})
	s.orders.add(orderID(1), ordersv1.Order_CHARGED, s.clock.Now().Add(-time.Hour), nil)
	s.orders.add(orderID(2), ordersv1.Order_CHARGED, s.clock.Now().Add(-time.Hour), held(begun, release))
	dial := s.instance(nil)
	stream, err := s.client(dial, "gateway").WatchRun(s.support(), &pb.WatchRunRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var last *pb.Run
	for first := true; ; first = false {
		r, err := stream.Recv()
		if err != nil {
			break
		}
		if first && (r.GetStatus() != pb.Run_RUNNING || r.GetId() == 0) {
			t.Errorf("at first: %v", r)
		}
		if r.GetStuckRecovered() == 1 && r.GetStatus() == pb.Run_RUNNING && last.GetStuckRecovered() == 0 {
			close(release)
		}
		last = r
	}
	if last.GetStatus() != pb.Run_SUCCEEDED || last.GetStuckRecovered() != 2 || last.GetFinishedAt() == nil {
		t.Errorf("at last: %v", last)
	}

	s.orders.add(orderID(3), ordersv1.Order_CHARGED, s.clock.Now().Add(-time.Hour), nil)
	ctx, leave := context.WithCancel(s.support())
	if stream, err = s.client(dial, "gateway").WatchRun(ctx, &pb.WatchRunRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	leave()
	await(t, "the run goes on without its watcher", func() bool {
		return s.count(`SELECT count(*) FROM reconciliation.runs WHERE status = 'SUCCEEDED'`) == 2
	})

	if stream, err = s.client(dial, "gateway").WatchRun(t.Context(), &pb.WatchRunRequest{}); err == nil {
		_, err = stream.Recv()
	}
	wantError(t, "watching without a token", err, codes.Unauthenticated, "UNAUTHENTICATED")
}
