package payments_test

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
)

const refundCall = "POST /v1/refunds"

// bought is a purchase that was charged.
func (s *scene) bought(method string) *pb.Payment {
	s.t.Helper()
	return s.paid(s.request(s.purchase("jane@example.com"), method), pb.Payment_SUCCEEDED)
}

// wish is a refund that somebody asks for; 0 is all that is left.
func wish(p *pb.Payment, minor int64) *pb.RefundPaymentRequest {
	return &pb.RefundPaymentRequest{OrderId: p.GetOrderId(), RefundId: uuid.NewString(), AmountMinor: minor, Reason: "asked by phone"}
}

func (s *scene) refunded(w *pb.RefundPaymentRequest, want pb.Refund_Status) *pb.Refund {
	s.t.Helper()
	got, err := s.desk.RefundPayment(s.as(access.Support), w)
	if err != nil || got.GetStatus() != want {
		s.t.Fatalf("RefundPayment: %v, %v; want %s", got, err, want)
	}
	return got
}

// wantBack checks what went back of the one charge: at Stripe, and as recorded.
func (s *scene) wantBack(minor int64, refunds int) {
	s.t.Helper()
	a := s.account()
	if len(a.Charges) != 1 || a.Charges[0].Refunded != minor || len(a.Refunds) != refunds {
		s.t.Errorf("at Stripe: %+v, %+v; want %d back in %d refunds", a.Charges, a.Refunds, minor, refunds)
	}
	if got := s.text(`SELECT concat_ws(' ', refunded_minor, (SELECT count(*) FROM payments.refunds WHERE stripe_refund_id IS NOT NULL)) FROM payments.payments`); got != fmt.Sprint(minor, " ", refunds) {
		s.t.Errorf("recorded: %s, want %d back in %d refunds", got, minor, refunds)
	}
}

// lastTold is what Orders heard last of an order.
func (s *scene) lastTold(orderID string) *pb.Payment {
	s.t.Helper()
	calls := s.orders.calls(orderID)
	if len(calls) == 0 {
		s.t.Fatal("Orders was told nothing")
	}
	return calls[len(calls)-1].GetPayment()
}

func (s *scene) caseCount(kind reconciliationv1.Case_Kind, orderID string) int {
	return s.cases.count(kind, "order/"+orderID)
}

func TestARefundInPartsUpToTheWhole(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.bought("pm_card_visa")
	w := wish(p, 5000)
	first := s.refunded(w, pb.Refund_SUCCEEDED)
	if first.GetAmountMinor() != 5000 || first.GetCurrency() != "USD" || first.GetActor() != "a support" || first.GetReason() != w.GetReason() ||
		first.GetRefundId() != w.GetRefundId() || first.GetStripeRefundId() != s.account().Refunds[0].ID {
		t.Errorf("the first part: %v", first)
	}
	if told := s.lastTold(p.GetOrderId()); told.GetRefundedMinor() != 5000 || told.GetStatus() != pb.Payment_SUCCEEDED || told.GetAmountMinor() != price {
		t.Errorf("Orders was told %v", told)
	}
	s.refunded(wish(p, 10000), pb.Refund_SUCCEEDED)
	_, err := s.desk.RefundPayment(s.as(access.Support), wish(p, 9901))
	wantError(t, "one cent more than is left", err, codes.Aborted, "REFUND_TOO_LARGE")
	if rest := s.refunded(wish(p, 0), pb.Refund_SUCCEEDED); rest.GetAmountMinor() != 9900 {
		t.Errorf("all that was left: %v", rest)
	}
	s.wantBack(price, 3)
	if told := s.lastTold(p.GetOrderId()); told.GetRefundedMinor() != price {
		t.Errorf("Orders was told %v", told)
	}
	for _, minor := range []int64{0, 1} {
		_, err := s.desk.RefundPayment(s.as(access.Support), wish(p, minor))
		wantError(t, "when nothing is left", err, codes.Aborted, "REFUND_TOO_LARGE")
	}
	list, err := s.desk.ListRefunds(s.as(access.Viewer), &pb.ListRefundsRequest{OrderId: p.GetOrderId()})
	if err != nil || len(list.GetRefunds()) != 3 {
		t.Errorf("listed: %v, %v", list, err)
	}
	// The same wish again is the same refund, even with nothing left.
	if again := s.refunded(w, pb.Refund_SUCCEEDED); again.GetStripeRefundId() != first.GetStripeRefundId() {
		t.Errorf("asked again: %v", again)
	}
	s.wantBack(price, 3)
}

func TestADoubleClickIsOneRefund(t *testing.T) {
	t.Parallel()
	for name, minor := range map[string]int64{"all": 0, "a part": 5000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			p := s.bought("pm_card_visa")
			w, want := wish(p, minor), minor
			if minor == 0 {
				want = price
			}
			desks := []pb.PaymentsAdminServiceClient{s.desk, s.people(s.instance())}
			var all sync.WaitGroup
			for n := range 20 {
				all.Go(func() {
					got, err := desks[n%2].RefundPayment(s.as(access.Support), w)
					if st := got.GetStatus(); err != nil || st != pb.Refund_SUCCEEDED && st != pb.Refund_REQUESTED || got.GetAmountMinor() != want {
						t.Errorf("one of many: %v, %v", got, err)
					}
				})
			}
			all.Wait()
			s.refunded(w, pb.Refund_SUCCEEDED)
			s.wantBack(want, 1)
			if n := s.text(`SELECT count(*)::text FROM payments.refunds`); n != "1" {
				t.Errorf("%s rows", n)
			}
		})
	}
}

func TestParallelRefundsNeverExceedTheCharge(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.bought("pm_card_visa")
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			_, err := s.desk.RefundPayment(s.as(access.Support), wish(p, 9000))
			// Once two of them are made, a third is too large.
			if e := apperr.Of(err); err != nil && (e == nil || e.Reason != "REFUND_TOO_LARGE") {
				wantError(t, "a refund beside another", err, codes.Aborted, "REFUND_IN_PROGRESS")
			}
		})
	}
	all.Wait()
	if back := s.account().Charges[0].Refunded; back != 9000 && back != 18000 {
		t.Errorf("%d went back", back)
	}
	// Whatever is left then can go back, and no more.
	s.refunded(wish(p, 0), pb.Refund_SUCCEEDED)
	s.wantBack(price, len(s.account().Refunds))
	if n := s.text(`SELECT count(*)::text FROM payments.refunds WHERE status <> 'SUCCEEDED'`); n != "0" {
		t.Errorf("%s wishes were written that Stripe did not take", n)
	}
}

// Every way in which Stripe can fail around a refund: never a second one, never
// "failed" about money that went back, and in the end the truth.
func TestEveryFaultAroundARefund(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct {
		name   string
		status int
	}{
		{"error_before", 409}, {"error_before", 429}, {"error_before", 500}, {"error_before", 503}, {"error_before", 401},
		{"hang_before", 0}, {"reset_before", 0}, {"hang_during", 0}, {"hang_after", 0}, {"reset_after", 0}, {"error_after", 0},
	} {
		for _, times := range []int{1, 3, 0} {
			t.Run(fmt.Sprintf("%s%d times %d", mode.name, mode.status, times), func(t *testing.T) {
				t.Parallel()
				more := map[string]string{}
				for k, v := range patience(mode.name) {
					more[k] = v
				}
				s := newScene(t, more)
				r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
				await(t, "the charge", func() bool { return s.driven(r) == pb.Payment_SUCCEEDED })
				p := s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
				end := s.fault(refundCall, mode.name, times, mode.status)
				w := wish(p, 5000)
				ask := func() bool {
					got, err := s.desk.RefundPayment(s.as(access.Support), w)
					made := len(s.account().Refunds)
					st := got.GetStatus()
					if err != nil || made > 1 || st == pb.Refund_SUCCEEDED && made != 1 || st != pb.Refund_SUCCEEDED && st != pb.Refund_REQUESTED {
						t.Fatalf("%v, %v, with %d refunds at Stripe", got, err, made)
					}
					return st == pb.Refund_SUCCEEDED
				}
				ask()
				_, err := s.desk.RefundPayment(s.as(access.Support), wish(p, 20000))
				if err == nil {
					t.Error("another wish beside it took more than there is")
				}
				end()
				await(t, "the refund", ask)
				s.wantBack(5000, 1)
				if mode.status == 401 && s.cases.count(reconciliationv1.Case_STRIPE_ACCESS, "stripe/key") == 0 {
					t.Error("a key that Stripe refuses is nobody's case")
				}
				if n := s.caseCount(reconciliationv1.Case_FAILED_REFUND, p.GetOrderId()); n != 0 {
					t.Errorf("%d cases of a failed refund", n)
				}
			})
		}
	}
}

func TestWhatCannotBeRefunded(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	declined := s.paid(s.request(s.purchase("joe@example.com"), "pm_card_chargeDeclined"), pb.Payment_REQUIRES_PAYMENT_METHOD)
	waits := s.paid(s.request(s.purchase("joe@example.com"), "pm_usBankAccount_success"), pb.Payment_PROCESSING)
	p, other := s.bought("pm_card_visa"), s.bought("pm_card_visa")
	mine := wish(p, 1000)
	s.refunded(mine, pb.Refund_SUCCEEDED)
	tooLarge, reused := wish(other, price+1), wish(other, 1000)
	reused.RefundId = mine.GetRefundId()
	larger := wish(p, 2000)
	larger.RefundId = mine.GetRefundId()
	for name, c := range map[string]struct {
		wish   *pb.RefundPaymentRequest
		code   codes.Code
		reason string
	}{
		"an unknown order":            {wish(&pb.Payment{OrderId: uuid.NewString()}, 0), codes.NotFound, "PAYMENT_NOT_FOUND"},
		"a refused card":              {wish(declined, 0), codes.Aborted, "INVALID_STATE"},
		"a bank that has not decided": {wish(waits, 0), codes.Aborted, "INVALID_STATE"},
		"more than was charged":       {tooLarge, codes.Aborted, "REFUND_TOO_LARGE"},
		"another order's refund_id":   {reused, codes.Aborted, "IDEMPOTENCY_KEY_REUSED"},
		"another amount":              {larger, codes.Aborted, "IDEMPOTENCY_KEY_REUSED"},
		"no reason":                   {&pb.RefundPaymentRequest{OrderId: p.GetOrderId(), RefundId: uuid.NewString()}, codes.InvalidArgument, "INVALID_ARGUMENT"},
	} {
		_, err := s.desk.RefundPayment(s.as(access.Support), c.wish)
		wantError(t, name, err, c.code, c.reason)
	}
	_, err := s.desk.RefundPayment(s.as(access.Viewer), wish(p, 0))
	wantError(t, "a viewer", err, codes.PermissionDenied, "PERMISSION_DENIED")
	_, err = s.desk.RefundPayment(s.as(access.Service), wish(p, 0))
	wantError(t, "the backend", err, codes.PermissionDenied, "PERMISSION_DENIED")
	_, err = s.desk.RefundPayment(s.context(), wish(p, 0))
	wantError(t, "nobody", err, codes.Unauthenticated, "UNAUTHENTICATED")
	if n := len(s.account().Refunds); n != 1 {
		t.Errorf("%d refunds at Stripe", n)
	}
}

// What was done at Stripe is seen before more is asked for: nobody is told that a
// customer lacks what they have.
func TestWhatWasDoneAtStripeIsSeenBeforeARefund(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		happen func(*scene, *pb.Payment)
		reason string // empty: some is left
		told   int64
	}{
		{"a part went back", func(s *scene, p *pb.Payment) { s.atStripe(p.GetChargeId(), 5000) }, "", price},
		{"all went back", func(s *scene, p *pb.Payment) { s.atStripe(p.GetChargeId(), price) }, "REFUND_TOO_LARGE", price},
		{"a dispute", func(s *scene, p *pb.Payment) {
			s.control(http.MethodPost, "charges/"+p.GetChargeId()+"/dispute", map[string]string{"reason": "fraudulent"}, nil)
		}, "REFUND_DISPUTED", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			p := s.bought("pm_card_visa")
			c.happen(s, p)
			for _, dry := range []bool{true, false} {
				w := wish(p, 0)
				w.DryRun = dry
				got, err := s.desk.RefundPayment(s.as(access.Support), w)
				if c.reason != "" {
					wantError(t, c.name, err, codes.Aborted, c.reason)
				} else if err != nil || got.GetAmountMinor() != price-5000 {
					t.Errorf("dry %t: %v, %v", dry, got, err)
				}
			}
			if told := s.lastTold(p.GetOrderId()); told.GetRefundedMinor() != c.told {
				t.Errorf("Orders was told %v", told)
			}
			if n := s.caseCount(reconciliationv1.Case_FAILED_REFUND, p.GetOrderId()); n != 0 {
				t.Errorf("%d cases of a failed refund", n)
			}
		})
	}
}

// All went back in the dashboard after our wish was written, and before Stripe took it.
func TestARefundThatWasOvertakenIsNoFailure(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.bought("pm_card_visa")
	end := s.fault(refundCall, "error_before", 0, 500)
	w := wish(p, 0)
	s.refunded(w, pb.Refund_REQUESTED)
	end()
	s.atStripe(p.GetChargeId(), price)
	await(t, "the end of the wish", func() bool {
		_, _ = s.desk.RefundPayment(s.as(access.Support), w)
		return s.text("SELECT status FROM payments.refunds WHERE id = $1", w.GetRefundId()) == "FAILED"
	})
	if n := s.caseCount(reconciliationv1.Case_FAILED_REFUND, p.GetOrderId()); n != 0 {
		t.Errorf("%d cases of a failed refund", n)
	}
	if told := s.lastTold(p.GetOrderId()); told.GetRefundedMinor() != price {
		t.Errorf("Orders was told %v", told)
	}
}

// Stripe has a dispute of which we could not read before we asked, and refuses: a
// definite no.
func TestStripeRefusesARefund(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.bought("pm_card_visa")
	s.control(http.MethodPost, "charges/"+p.GetChargeId()+"/dispute", map[string]string{"reason": "fraudulent"}, nil)
	w := wish(p, 0)
	end := s.fault("GET /v1/charges/"+p.GetChargeId(), "error_before", 0, 500)
	s.refunded(w, pb.Refund_REQUESTED)
	end()
	s.cases.set(func() { s.cases.down = true })
	s.refunded(w, pb.Refund_REQUESTED) // nobody could be told: not over
	s.cases.set(func() { s.cases.down = false })
	s.refunded(w, pb.Refund_FAILED)
	s.refunded(w, pb.Refund_FAILED)
	if n := s.caseCount(reconciliationv1.Case_FAILED_REFUND, p.GetOrderId()); n != 1 {
		t.Errorf("%d cases", n)
	}
	// The charge was read on that occasion: the dispute is known now.
	_, err := s.desk.RefundPayment(s.as(access.Support), wish(p, 0))
	wantError(t, "a disputed charge", err, codes.Aborted, "REFUND_DISPUTED")
	s.wantBack(0, 0)
	if n := s.caseCount(reconciliationv1.Case_DISPUTE, p.GetOrderId()); n == 0 {
		t.Error("the dispute is nobody's case")
	}
}

// atStripe is a refund that somebody makes in Stripe's dashboard.
func (s *scene) atStripe(chargeID string, minor int64) {
	s.t.Helper()
	s.call("/v1/refunds", url.Values{"charge": {chargeID}, "amount": {fmt.Sprint(minor)}}, nil)
}

func TestARefundMadeInTheDashboardFollows(t *testing.T) {
	t.Parallel()
	for _, eventType := range []string{"charge.refunded", "refund.created"} {
		t.Run(eventType, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			p := s.bought("pm_card_visa")
			s.atStripe(p.GetChargeId(), 5000)
			s.delivered(s.event(eventType), "PROCESSED")
			if told := s.lastTold(p.GetOrderId()); told.GetRefundedMinor() != 5000 {
				t.Errorf("Orders was told %v", told)
			}
			part := s.event(eventType)
			s.atStripe(p.GetChargeId(), price-5000)
			s.delivered(s.event(eventType), "PROCESSED")
			s.delivered(part, "PROCESSED")
			s.wantBack(price, 2)
			if told := s.lastTold(p.GetOrderId()); told.GetRefundedMinor() != price {
				t.Errorf("Orders was told %v", told)
			}
			list, err := s.desk.ListRefunds(s.as(access.Viewer), &pb.ListRefundsRequest{OrderId: p.GetOrderId()})
			if err != nil || len(list.GetRefunds()) != 2 || list.GetRefunds()[0].GetActor() != "" || list.GetRefunds()[0].GetStatus() != pb.Refund_SUCCEEDED {
				t.Errorf("listed: %v, %v", list, err)
			}
			if method := s.ledger(s.event(eventType), "resolution_method"); method != "charge" {
				t.Errorf("found by %q", method)
			}
		})
	}
}

// What somebody writes into a refund's metadata at Stripe does not make it ours,
// and our own stays ours when it is wiped there.
func TestARefundIsNotRecognisedByWhatAnybodyCanWrite(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.bought("pm_card_visa")
	w := wish(p, 5000)
	ours := s.refunded(w, pb.Refund_SUCCEEDED)
	s.call("/v1/refunds", url.Values{"charge": {p.GetChargeId()}, "amount": {"700"}, "metadata[refund_id]": {w.GetRefundId()}}, nil)
	s.delivered(s.event("refund.created"), "PROCESSED")
	s.call("/v1/refunds/"+ours.GetStripeRefundId(), url.Values{"metadata[refund_id]": {""}, "metadata[makegood_app]": {""}}, nil)
	s.delivered(s.event("refund.updated"), "PROCESSED")
	s.wantBack(5700, 2)
	if again := s.refunded(w, pb.Refund_SUCCEEDED); again.GetStripeRefundId() != ours.GetStripeRefundId() || again.GetAmountMinor() != 5000 {
		t.Errorf("our refund is now %v", again)
	}
}

func TestARefundThatFailsLater(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.bought("pm_card_visa")
	w := wish(p, 0)
	re := s.refunded(w, pb.Refund_SUCCEEDED)
	s.control(http.MethodPost, "refunds/"+re.GetStripeRefundId()+"/fail", map[string]string{"reason": "expired_or_canceled_card"}, nil)
	failed := s.event("refund.failed")
	cases := func() int { return s.caseCount(reconciliationv1.Case_FAILED_REFUND, p.GetOrderId()) }

	// The case comes first: without it nothing is recorded, and Stripe comes again.
	s.cases.set(func() { s.cases.down = true })
	s.notYet(failed)
	s.wantStatus(w, "SUCCEEDED")
	s.cases.set(func() { s.cases.down = false })

	// Killed between the case and the record: the case is there, and the rest follows.
	s.exec(`CREATE FUNCTION payments.killed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'killed'; END $$`)
	s.exec(`CREATE TRIGGER killed BEFORE UPDATE ON payments.refunds FOR EACH ROW EXECUTE FUNCTION payments.killed()`)
	s.notYet(failed)
	if cases() == 0 {
		t.Fatal("recorded before there is a case")
	}
	s.wantStatus(w, "SUCCEEDED")
	s.exec(`DROP TRIGGER killed ON payments.refunds`)
	s.delivered(failed, "PROCESSED")
	s.wantStatus(w, "FAILED")
	s.wantBack(0, 1)
	if told := s.lastTold(p.GetOrderId()); told.GetRefundedMinor() != 0 {
		t.Errorf("Orders was told %v", told)
	}
	before := cases()
	for _, other := range []string{"refund.updated", "charge.refund.updated", "charge.refunded", "refund.created"} {
		s.delivered(s.event(other), "PROCESSED")
	}
	if cases() != before {
		t.Error("what is recorded was reported again")
	}
	// The money is still with us, and can go back another way.
	s.refunded(wish(p, 0), pb.Refund_SUCCEEDED)
	s.wantBack(price, 2)
}

func (s *scene) wantStatus(w *pb.RefundPaymentRequest, want string) {
	s.t.Helper()
	if got := s.text(`SELECT status FROM payments.refunds WHERE id = $1`, w.GetRefundId()); got != want {
		s.t.Fatalf("the refund is recorded as %s, want %s", got, want)
	}
}

func TestARefundThatWaitsForTheBankIsLookedAt(t *testing.T) {
	t.Parallel()
	for _, outcome := range []string{"succeed", "fail"} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			s := looking(t)
			p := s.bought("pm_card_pendingRefund")
			w := wish(p, 0)
			re := s.refunded(w, pb.Refund_PENDING)
			if told := s.lastTold(p.GetOrderId()); told.GetRefundedMinor() != price {
				t.Errorf("Orders was told %v", told)
			}
			s.clock.Advance(61 * time.Minute) // the bank still thinks
			await(t, "a look", func() bool { return s.text(`SELECT look_count::text FROM payments.refunds`) == "1" })
			await(t, "word from Stripe", func() bool {
				return s.text(`SELECT (next_look_at - $1 > interval '59 minutes')::text FROM payments.refunds`, s.clock.Now()) == "true"
			})
			s.wantStatus(w, "PENDING")
			s.control(http.MethodPost, "refunds/"+re.GetStripeRefundId()+"/"+outcome, map[string]string{}, nil)
			s.clock.Advance(61 * time.Minute)
			want := map[string]string{"succeed": "SUCCEEDED", "fail": "FAILED"}[outcome]
			await(t, want, func() bool {
				return s.text(`SELECT concat(status, next_look_at) FROM payments.refunds`) == want
			})
			s.stop()
			back, cases := int64(price), 0
			if outcome == "fail" {
				back, cases = 0, 1
			}
			s.wantBack(back, 1)
			if told := s.lastTold(p.GetOrderId()); told.GetRefundedMinor() != back {
				t.Errorf("Orders was told %v", told)
			}
			if n := s.caseCount(reconciliationv1.Case_FAILED_REFUND, p.GetOrderId()); n != cases {
				t.Errorf("%d cases, want %d", n, cases)
			}
		})
	}
}

// refundKeys are the keys under which refunds were asked for.
func (s *scene) refundKeys() (keys []string) {
	for _, r := range s.asked() {
		if r.String() == refundCall {
			keys = append(keys, r.key)
		}
	}
	return keys
}

// The wish survives a restart, under the key it had.
func TestARefundIsFinishedAfterARestart(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil) // the first instance does not look
	p := s.bought("pm_card_visa")
	end := s.fault(refundCall, "reset_before", 0, 0)
	w := wish(p, 5000)
	s.refunded(w, pb.Refund_REQUESTED)
	end()
	s.stop()
	s.more = map[string]string{"RESCUE_AFTER": "30s"}
	s.instance()
	s.clock.Advance(31 * time.Second)
	await(t, "the refund", func() bool { return s.text(`SELECT status FROM payments.refunds`) == "SUCCEEDED" })
	s.wantBack(5000, 1)
	for _, key := range s.refundKeys() {
		if key != s.refundKeys()[0] {
			t.Errorf("asked under the keys %v", s.refundKeys())
		}
	}
}

// A key that Stripe may have forgotten is not used again: the charge is read,
// and only when it shows no refund is Stripe asked under another key.
func TestAnOldWishIsReadBeforeItIsAskedAgain(t *testing.T) {
	t.Parallel()
	for mode, asks := range map[string]int{"reset_after": 0, "reset_before": 1} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			p := s.bought("pm_card_visa")
			ends := []func(){s.fault(refundCall, mode, 0, 0), s.fault("GET /v1/charges/*", "error_before", 0, 503)}
			w := wish(p, 5000)
			s.refunded(w, pb.Refund_REQUESTED)
			for _, end := range ends {
				end()
			}
			s.clock.Advance(25 * time.Hour)
			first := s.refundKeys()[0]
			s.forget()
			await(t, "the refund", func() bool {
				got, err := s.desk.RefundPayment(s.as(access.Support), w)
				return err == nil && got.GetStatus() == pb.Refund_SUCCEEDED
			})
			s.wantBack(5000, 1)
			if keys := s.refundKeys(); len(keys) != asks || asks > 0 && keys[0] == first {
				t.Errorf("first asked under %s, then under %v", first, keys)
			}
		})
	}
}

func TestARefundWithoutAWordBecomesACase(t *testing.T) {
	t.Parallel()
	s := looking(t)
	p := s.bought("pm_card_visa")
	s.fault(refundCall, "error_before", 0, 503)
	s.refunded(wish(p, 0), pb.Refund_REQUESTED)
	s.exec(`UPDATE payments.refunds SET look_count = 4`)
	s.clock.Advance(31 * time.Second)
	await(t, "the case", func() bool { return s.caseCount(reconciliationv1.Case_FAILED_REFUND, p.GetOrderId()) == 1 })
}

// An answer that was long on its way does not overwrite a newer one.
func TestAnOldAnswerDoesNotOverwriteANewerOne(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.bought("pm_card_visa")
	s.atStripe(p.GetChargeId(), 1000)
	part := s.event("charge.refunded")
	end := s.fault("GET /v1/charges/*", "hang_after", 1, 0)
	var slow sync.WaitGroup
	slow.Go(func() {
		if status, err := s.deliver(part); err != nil || status != "PROCESSED" {
			t.Errorf("the slow one: %s, %v", status, err)
		}
	})
	s.awaitHeld(1)
	s.clock.Advance(time.Second)
	s.atStripe(p.GetChargeId(), price-1000)
	s.delivered(s.event("charge.refunded"), "PROCESSED")
	end()
	slow.Wait()
	s.wantBack(price, 2)
	for _, told := range s.orders.calls(p.GetOrderId()) {
		if told.GetPayment().GetRefundedMinor() != price {
			t.Errorf("Orders was told %v", told.GetPayment())
		}
	}
}

// Orders is told even when the desk's own answer could not be followed up.
func TestARefundWhileOrdersIsAway(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.bought("pm_card_visa")
	s.orders.set(func() { s.orders.down = true })
	s.refunded(wish(p, 0), pb.Refund_SUCCEEDED) // what is done is done
	s.notYet(s.event("charge.refunded"))
	s.orders.set(func() { s.orders.down = false })
	s.delivered(s.event("charge.refunded"), "PROCESSED")
	if told := s.lastTold(p.GetOrderId()); told.GetRefundedMinor() != price {
		t.Errorf("Orders was told %v", told)
	}
}

// A refund is heard of after our records were lost: the payment is found again,
// and what became of it is told.
func TestARefundOfALostPayment(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"STRIPE_SECRET_KEY": liveKey})
	p := s.bought("pm_card_visa")
	s.atStripe(p.GetChargeId(), 5000)
	s.loseRecords("")
	s.delivered(s.event("charge.refunded"), "PROCESSED")
	if told := s.lastTold(p.GetOrderId()); told.GetRefundedMinor() != 5000 || told.GetChargeId() != p.GetChargeId() {
		t.Errorf("Orders was told %v", told)
	}
	s.wantBack(5000, 1)
}

func TestARefundIsHeardOfBeforeThePageThatWasPaid(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	s.paysThere(session, "pm_card_visa")
	s.atStripe(s.account().Charges[0].ID, 5000)
	for _, eventType := range []string{"charge.refunded", completeEvent, "payment_intent.succeeded", "refund.created"} {
		s.delivered(s.event(eventType), "PROCESSED")
		if told := s.lastTold(r.GetPurchase().GetOrderId()); told.GetStatus() != pb.Payment_SUCCEEDED || told.GetRefundedMinor() != 5000 {
			t.Errorf("after %s Orders was told %v", eventType, told)
		}
	}
	s.wantBack(5000, 1)
}

// What says by itself that it is not ours is not asked about.
func TestAnotherSellersRefundIsIgnoredUnasked(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	for n, object := range []string{
		`{"id":"ch_theirs","object":"charge","payment_intent":"pi_theirs","metadata":{"order_id":"1"}}`,
		`{"id":"re_theirs","object":"refund","charge":"ch_theirs","payment_intent":null}`,
		`{"id":"dp_theirs","object":"dispute","charge":null,"payment_intent":null}`,
	} {
		s.delivered(fmt.Appendf(nil, `{"id":"evt_%d","type":"charge.refunded","livemode":false,"data":{"object":%s}}`, n, object), "IGNORED")
	}
	if asked := s.asked(); len(asked) != 0 {
		t.Errorf("Stripe was asked %v", asked)
	}
}
