package payments_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/payments/v1"
)

// caughtUp walks every page of the events of a window.
func (s *scene) caughtUp(w *pb.Window) (read, added, pages int) {
	s.t.Helper()
	desk, token := s.sweep(), ""
	for {
		page, err := desk.CatchUpEvents(s.context(), &pb.CatchUpEventsRequest{Window: w, PageToken: token})
		if err != nil {
			s.t.Fatalf("CatchUpEvents: %v", err)
		}
		read, added, pages, token = read+int(page.GetReadCount()), added+int(page.GetAddedCount()), pages+1, page.GetNextPageToken()
		if token == "" {
			return read, added, pages
		}
	}
}

// Nothing was delivered from Friday evening to Monday morning.
func TestTheEventsOfAWeekendAreCaughtUp(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	friday := s.clock.Now()
	var orders []string
	for range 40 {
		r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
		s.paid(r, pb.Payment_SUCCEEDED)
		orders = append(orders, r.GetPurchase().GetOrderId())
		s.clock.Advance(90 * time.Minute)
	}
	delivered := s.event("payment_intent.succeeded") // the last one came
	s.delivered(delivered, "PROCESSED")
	w := &pb.Window{From: timestamppb.New(friday.Add(-time.Hour)), Before: timestamppb.New(s.clock.Now())}
	read, added, pages := s.caughtUp(w)
	if want := len(s.account().Events); read != want || pages < 2 {
		t.Errorf("%d events on %d pages, of %d", read, pages, want)
	}
	if added != 2*40-1 { // an intent's and a charge's success each; one was here
		t.Errorf("%d events were added", added)
	}
	await(t, "the events to be handled", func() bool {
		return s.text(`SELECT count(*)::text FROM payments.webhook_events WHERE status = 'RECEIVED'`) == "0"
	})
	if row := s.text(`SELECT string_agg(DISTINCT status || attempt_count || retry_count, ',') FROM payments.webhook_events WHERE stripe_event_id <> $1`, s.ledgerID(delivered)); row != "PROCESSED01" {
		t.Errorf("the ledger says %s", row)
	}
	for _, id := range orders[:39] {
		calls := s.orders.calls(id)
		if len(calls) == 0 || calls[0].GetReason() != ordersv1.AdvanceOrderRequest_RECONCILIATION {
			t.Errorf("Orders was told of %s: %v", id, calls)
		}
	}
	if _, added, _ := s.caughtUp(w); added != 0 {
		t.Errorf("%d were added once more", added)
	}
	// A delivery that comes after all is of an event that is finished.
	before := s.ledger(delivered, "attempt_count")
	s.delivered(delivered, "PROCESSED")
	if after := s.ledger(delivered, "attempt_count"); after != before {
		t.Errorf("attempts: %s, then %s", before, after)
	}
}

// The bytes that are kept are the event's own, and read like a delivery.
func TestACaughtUpEventIsKeptAsStripeListsIt(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.unrecorded()
	success := s.event("payment_intent.succeeded")
	s.caughtUp(s.around())
	var kept []byte
	if err := s.owner.QueryRow(t.Context(), `SELECT payload FROM payments.webhook_events WHERE stripe_event_id = $1`, s.ledgerID(success)).Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if string(compact(kept)) != string(compact(success)) {
		t.Errorf("kept is %s\nand it was %s", kept, success)
	}
	if row := s.ledger(success, "type || ' ' || object_id || ' ' || customer_id"); row == "" {
		t.Error("it is not filed by its names")
	}
}

// At a live key, an event that nobody is found for is given up after some tries,
// although Stripe never delivers it.
func TestACaughtUpEventOfNobodyIsOrphanedInTheEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	s.key = liveKey
	paid := s.paid(s.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	s.call("/v1/payment_intents/"+paid.GetPaymentIntentId(), url.Values{"metadata[reference]": {""}}, nil)
	s.call("/v1/refunds", url.Values{"charge": {paid.GetChargeId()}}, nil)
	s.loseRecords("DELETE FROM payments.customers")
	refund := s.event("charge.refunded")
	s.caughtUp(s.around())
	await(t, "the event to rest", func() bool {
		if s.ledger(refund, "in_hand_until IS NULL") == "true" { // or the clock takes it from the hand that has it
			s.clock.Advance(time.Minute)
		}
		status := s.ledger(refund, "status")
		return status != "RECEIVED" && status != "FAILED"
	})
	if tries := s.ledger(refund, "retry_count"); tries > "7" || s.ledger(refund, "attempt_count") != "0" {
		t.Errorf("%s tries", tries)
	}
}

func TestEventsThatCannotBeReadAreNotCaughtUp(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.unrecorded()
	for mode, status := range map[string]int{"error_before": http.StatusBadGateway, "truncate": 0} {
		end := s.fault("GET /v1/events", mode, 0, status)
		_, err := s.sweep().CatchUpEvents(s.context(), &pb.CatchUpEventsRequest{Window: s.around()})
		wantError(t, mode, err, codes.Unavailable, "STRIPE_UNREACHABLE")
		end()
		if n := s.text(`SELECT count(*)::text FROM payments.webhook_events`); n != "0" {
			t.Errorf("%s: %s events are filed", mode, n)
		}
	}
	old := &pb.Window{From: timestamppb.New(s.clock.Now().Add(-90 * day)), Before: timestamppb.New(s.clock.Now().Add(-40 * day))}
	if read, _, _ := s.caughtUp(old); read != 0 {
		t.Errorf("%d events older than Stripe keeps them", read)
	}
}

// followed reads what became of charges lately.
func (s *scene) followed(kind pb.FollowChangesRequest_Kind) *pb.FollowChangesResponse {
	s.t.Helper()
	got, err := s.sweep().FollowChanges(s.context(), &pb.FollowChangesRequest{Kind: kind, Window: s.around()})
	if err != nil {
		s.t.Fatalf("FollowChanges: %v", err)
	}
	return got
}

func TestRefundsAndDisputesAreFollowedWithoutAnyEvent(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	buy := func() *pb.Payment {
		return s.paid(s.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	}
	untouched, back, disputed := buy(), buy(), buy()
	s.seedCharges(map[string]any{"count": 3, "from": s.clock.Now().Unix(), "to": s.clock.Now().Unix(), "refund_every": 1}) // somebody else's
	s.call("/v1/refunds", url.Values{"charge": {back.GetChargeId()}, "amount": {"9900"}}, nil)
	dispute := s.disputed(disputed)

	refunds, disputes := pb.FollowChangesRequest_REFUNDS, pb.FollowChangesRequest_DISPUTES
	s.orders.set(func() { s.orders.down = true })
	if got := s.followed(refunds); !slices.Equal(got.GetFailedChargeIds(), []string{back.GetChargeId()}) || len(got.GetFollowedChargeIds()) != 0 {
		t.Errorf("while Orders is down: %v", got)
	}
	s.orders.set(func() { s.orders.down, s.orders.told = false, nil })
	// It is recorded now, and Orders has not heard of it: it does.
	if got := s.followed(refunds); len(got.GetFailedChargeIds()) != 0 {
		t.Errorf("once Orders is back: %v", got)
	}
	if told := s.lastTold(back.GetOrderId()); told.GetRefundedMinor() != 9900 {
		t.Errorf("Orders was told %v", told)
	}
	if got := s.followed(disputes); got.GetReadCount() != 1 || !slices.Equal(got.GetFollowedChargeIds(), []string{disputed.GetChargeId()}) {
		t.Errorf("disputes: %v", got)
	}
	if told := s.lastTold(disputed.GetOrderId()); told.GetDispute() != pb.Payment_OPEN {
		t.Errorf("Orders was told %v", told)
	}
	s.closed(dispute, "won")
	s.followed(disputes)
	if told := s.lastTold(disputed.GetOrderId()); told.GetDispute() != pb.Payment_WON {
		t.Errorf("Orders was told %v", told)
	}
	got := s.followed(disputes)
	if len(got.GetDisputes()) != 1 || len(got.GetDisputes()[0].GetMovements()) != 2 {
		t.Fatalf("the page's disputes: %v", got.GetDisputes())
	}
	seen, moved := got.GetDisputes()[0], got.GetDisputes()[0].GetMovements()
	if seen.GetChargeId() != disputed.GetChargeId() || seen.GetAmountMinor() != 24900 || seen.GetCurrency() != "USD" || seen.GetStands() != pb.Payment_WON ||
		moved[0].GetAmountMinor() != -24900 || moved[0].GetFeeMinor() != 1500 || moved[1].GetAmountMinor() != 24900 || moved[1].GetFeeMinor() != -1500 || moved[0].GetChargeId() != disputed.GetChargeId() {
		t.Errorf("the dispute is %v", seen)
	}
	if seen.GetLostMinor() != 0 {
		t.Errorf("of what was won %d is lost", seen.GetLostMinor())
	}
	if len(got.GetFollowedChargeIds()) != 0 {
		t.Errorf("nothing is new, and yet %v", got)
	}
	if told := s.orders.calls(untouched.GetOrderId()); len(told) != 0 {
		t.Errorf("of the untouched one Orders was told %v", told)
	}
}

// Stripe calls a dispute lost that was won for a part; what came back says for which.
func TestADisputeThatWasWonForAPartIsLostForTheRest(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.bought("pm_card_visa")
	s.control(http.MethodPost, "disputes/"+s.disputed(p)+"/close", map[string]any{"outcome": "lost", "put_back": 5000}, nil)
	if got := s.followed(pb.FollowChangesRequest_DISPUTES).GetDisputes(); len(got) != 1 || got[0].GetLostMinor() != price-5000 || got[0].GetStands() != pb.Payment_LOST {
		t.Errorf("followed: %v", got)
	}
	found := s.find(&pb.FindChargesRequest{ChargeIds: []string{p.GetChargeId()}}).GetCharges()
	if len(found) != 1 || len(found[0].GetDisputes()) != 1 || found[0].GetDisputes()[0].GetLostMinor() != price-5000 || found[0].GetDisputes()[0].GetAmountMinor() != price {
		t.Errorf("found: %v", found)
	}
}

// It went back before it was heard here that it came.
func TestARefundOfAChargeThatIsNotRecordedIsFollowed(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, _ := s.unrecorded()
	charge := s.account().Charges[0].ID
	s.call("/v1/refunds", url.Values{"charge": {charge}}, nil)
	if got := s.followed(pb.FollowChangesRequest_REFUNDS); got.GetReadCount() != 1 || !slices.Equal(got.GetFollowedChargeIds(), []string{charge}) {
		t.Errorf("%v", got)
	}
	if told := s.lastTold(r.GetPurchase().GetOrderId()); told.GetStatus() != pb.Payment_SUCCEEDED || told.GetRefundedMinor() != price {
		t.Errorf("Orders was told %v", told)
	}
	end := s.fault("GET /v1/refunds", "truncate", 0, 0)
	_, err := s.sweep().FollowChanges(s.context(), &pb.FollowChangesRequest{Kind: pb.FollowChangesRequest_REFUNDS, Window: s.around()})
	wantError(t, "a page that is cut", err, codes.Unavailable, "STRIPE_UNREACHABLE")
	end()
}

func TestTheBalanceIsListedWithTheChargesBehindIt(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	euros := s.purchase("jane@example.com")
	euros.Currency = "EUR"
	paid := s.paid(s.request(euros, "pm_card_visa"), pb.Payment_SUCCEEDED)
	s.call("/v1/refunds", url.Values{"charge": {paid.GetChargeId()}, "amount": {"100"}}, nil)
	other := s.paid(s.request(s.purchase("joe@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	s.disputed(other)
	at := s.clock.Now().Unix()
	s.seedCharges(map[string]any{"count": 120, "from": at, "to": at})

	desk, token := s.sweep(), ""
	var all []*pb.BalanceTransaction
	for pages := 1; ; pages++ {
		page, err := desk.ListBalanceTransactions(s.context(), &pb.ListBalanceTransactionsRequest{Window: s.around(), PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		all, token = append(all, page.GetTransactions()...), page.GetNextPageToken()
		if token == "" {
			if pages != 2 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	behind := map[string][]string{}
	for _, b := range all {
		if b.GetNetMinor() != b.GetAmountMinor()-b.GetFeeMinor() || b.GetId() == "" || b.GetCurrency() != "USD" || b.GetCreatedAt() == nil {
			t.Errorf("%v", b)
		}
		behind[b.GetChargeId()] = append(behind[b.GetChargeId()], b.GetType())
		if b.GetSourceId() == paid.GetChargeId() && (b.GetExchangeRate() != "1.1" || b.GetAmountMinor() != price*11/10) {
			t.Errorf("what was converted: %v", b)
		}
	}
	slices.Sort(behind[paid.GetChargeId()])
	slices.Sort(behind[other.GetChargeId()])
	if len(all) != 124 || !slices.Equal(behind[paid.GetChargeId()], []string{"charge", "refund"}) || !slices.Equal(behind[other.GetChargeId()], []string{"adjustment", "charge"}) || len(behind[""]) != 0 {
		t.Errorf("%d movements; of the two charges %v and %v, of none %v", len(all), behind[paid.GetChargeId()], behind[other.GetChargeId()], behind[""])
	}
	s.fault("GET /v1/balance_transactions", "error_before", 0, http.StatusInternalServerError)
	_, err := desk.ListBalanceTransactions(s.context(), &pb.ListBalanceTransactionsRequest{Window: s.around()})
	wantError(t, "a silent Stripe", err, codes.Unavailable, "STRIPE_UNREACHABLE")
}
