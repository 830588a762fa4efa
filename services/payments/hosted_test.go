package payments_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

const (
	sessions      = "POST /v1/checkout/sessions"
	completeEvent = "checkout.session.completed"
)

// hosted is a purchase whose buyer is on Stripe's page, and the page's session.
func (s *scene) hosted() (r *pb.PayRequest, session string) {
	s.t.Helper()
	r = s.request(s.purchase("jane@example.com"), "")
	r.Hosted = true
	p := s.paid(r, pb.Payment_REQUIRES_ACTION)
	session = p.GetRedirectUrl()[strings.LastIndex(p.GetRedirectUrl(), "/")+1:]
	if !strings.HasPrefix(session, "cs_") {
		s.t.Fatalf("sent to %q", p.GetRedirectUrl())
	}
	return r, session
}

// paysThere is the buyer on Stripe's page.
func (s *scene) paysThere(session, method string) {
	s.t.Helper()
	s.control("POST", "checkout/"+session+"/complete", map[string]any{"payment_method": method}, nil)
}

func TestABuyerPaysOnStripesPage(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	s.paid(r, pb.Payment_REQUIRES_ACTION) // asked again: the same page
	s.look(r.GetPurchase(), pb.Payment_REQUIRES_ACTION)
	if n := s.askedCount(sessions); n != 1 {
		t.Errorf("%d sessions were asked for", n)
	}
	s.wantCharged(0)
	s.paysThere(session, "pm_card_visa")
	p := s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	if p.GetAmountMinor() != price || p.GetPaymentIntentId() == "" || p.GetChargeId() == "" {
		t.Errorf("known as %v", p)
	}
	s.wantCharged(1)
	if intent := s.account().Intents[0]; intent.Metadata["order_id"] != r.GetPurchase().GetOrderId() || intent.Metadata["makegood_app"] == "" {
		t.Errorf("the intent says %v", intent.Metadata)
	}
	s.wantPageNames(r.GetPurchase(), "payment", "payment_intent_data")
}

// wantPageNames checks that a page names its order in each place in which a reader of
// Stripe's events may look.
func (s *scene) wantPageNames(p *pb.Purchase, mode, data string) {
	s.t.Helper()
	i := slices.IndexFunc(s.asked(), func(r stripeRequest) bool { return r.String() == sessions })
	if i < 0 {
		s.t.Fatal("no page was asked for")
	}
	page := s.asked()[i].form
	for field, want := range map[string]string{
		"mode": mode, "client_reference_id": p.GetOrderId(),
		"metadata[order_id]": p.GetOrderId(), "metadata[makegood_app]": "makegood", "metadata[reference]": p.GetReference(), "metadata[plan_id]": p.GetPlanId(),
		data + "[metadata][order_id]": p.GetOrderId(), data + "[metadata][makegood_app]": "makegood", data + "[metadata][plan_id]": p.GetPlanId(),
	} {
		if got := page.Get(field); got != want {
			s.t.Errorf("the page's %s is %q, want %q", field, got, want)
		}
	}
}

func TestEventsOfStripesPageInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{{completeEvent, "payment_intent.succeeded", "charge.succeeded"}, {"charge.succeeded", "payment_intent.succeeded", completeEvent}, {"payment_intent.succeeded", completeEvent, "charge.succeeded"}} {
		s := newScene(t, nil)
		r, session := s.hosted()
		s.paysThere(session, "pm_card_visa")
		for _, kind := range order {
			for range 2 {
				s.delivered(s.event(kind), "PROCESSED")
			}
		}
		for _, told := range s.orders.calls(r.GetPurchase().GetOrderId()) {
			if told.GetPayment().GetStatus() != pb.Payment_SUCCEEDED {
				t.Errorf("%v: Orders was told %v", order, told.GetPayment().GetStatus())
			}
		}
		s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	}
}

// Money for the order by another intent than its page's is a person's, also when it
// is heard of before it is known here how the page ended.
func TestMoneyBesideStripesPage(t *testing.T) {
	t.Parallel()
	for name, paysThere := range map[string]func(s *scene, session string){
		"that was paid":      func(s *scene, session string) { s.paysThere(session, "pm_card_visa") },
		"that asked nothing": func(s *scene, session string) { s.redeemsThere(session, "SAVE100") },
		"that is known as paid": func(s *scene, session string) {
			s.paysThere(session, "pm_card_visa")
			s.delivered(s.event(completeEvent), "PROCESSED")
		},
		"that is known as free": func(s *scene, session string) {
			s.redeemsThere(session, "SAVE100")
			s.delivered(s.event(completeEvent), "PROCESSED")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, coupons)
			r, session := s.hosted()
			paysThere(s, session)
			_, other := s.paidTwice(r, &pb.Payment{CustomerId: s.account().Customers[0].ID})
			s.delivered(s.event("payment_intent.succeeded"), "QUARANTINED")
			if n := s.caseCount(reconciliationv1.Case_DUPLICATE_CHARGE, r.GetPurchase().GetOrderId()); n == 0 {
				t.Error("no case")
			}
			if p := s.look(r.GetPurchase(), pb.Payment_SUCCEEDED); p.GetPaymentIntentId() == other {
				t.Errorf("the order is known as paid by %v", p)
			}
		})
	}
}

// While its page is open, money beside it waits until it is sure how the page ends:
// however often it is asked, that is no failure.
func TestMoneyBesideAnOpenPageWaits(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, _ := s.hosted()
	_, other := s.paidTwice(r, &pb.Payment{CustomerId: s.account().Customers[0].ID})
	beside := s.event("payment_intent.succeeded")
	for range 12 {
		s.notYet(beside)
	}
	for n := range 12 {
		s.clock.Advance(time.Hour)
		await(t, "our own retry", func() bool {
			return s.ledger(beside, "waited_count = 13 + "+fmt.Sprint(n)+" AND in_hand_until IS NULL") == "true"
		})
	}
	if status, n := s.ledger(beside, "status"), s.cases.count(reconciliationv1.Case_FAILED_EVENT, "event/"+s.ledgerID(beside)); status != "RECEIVED" || n != 0 {
		t.Errorf("it is %s, with %d cases: %s", status, n, s.ledger(beside, "last_error"))
	}
	s.cancel(r, pb.Payment_CANCELED)
	await(t, "the event that waited for the page, with the clock standing still", func() bool { return s.ledger(beside, "status") == "PROCESSED" })
	if told := s.lastTold(r.GetPurchase().GetOrderId()); told.GetStatus() != pb.Payment_SUCCEEDED || told.GetPaymentIntentId() != other {
		t.Errorf("Orders was told %v", told)
	}
}

// Money beside an open page that goes back meanwhile waits for the page, too.
func TestMoneyBesideAnOpenPageThatGoesBackWaits(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	charge, _ := s.paidTwice(r, &pb.Payment{CustomerId: s.account().Customers[0].ID})
	s.call("/v1/refunds", url.Values{"charge": {charge}}, nil)
	paid, back := s.event("payment_intent.succeeded"), s.event("charge.refunded")
	for range 12 {
		s.notYet(back)
		s.notYet(paid)
	}
	for _, event := range [][]byte{back, paid} {
		if status, n := s.ledger(event, "status"), s.cases.count(reconciliationv1.Case_FAILED_EVENT, "event/"+s.ledgerID(event)); status != "RECEIVED" || n != 0 {
			t.Errorf("it is %s, with %d cases: %s", status, n, s.ledger(event, "last_error"))
		}
	}
	s.paysThere(session, "pm_card_visa")
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	for _, event := range [][]byte{back, paid} {
		await(t, "an event that waited", func() bool { return s.ledger(event, "status") == "QUARANTINED" })
		if why := s.ledger(event, "last_error"); !strings.Contains(why, "went back") {
			t.Errorf("quarantined: %s", why)
		}
	}
	if n := s.caseCount(reconciliationv1.Case_DUPLICATE_CHARGE, r.GetPurchase().GetOrderId()); n != 0 {
		t.Errorf("%d cases of money that went back", n)
	}
}

// What cannot be handled once the page has ended has its ten tries like any other.
func TestWaitingForAPageUsesUpNoTries(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, _ := s.hosted()
	s.paidTwice(r, &pb.Payment{CustomerId: s.account().Customers[0].ID})
	beside := s.event("payment_intent.succeeded")
	for range 12 {
		s.notYet(beside)
	}
	s.cancel(r, pb.Payment_CANCELED)
	s.orders.set(func() { s.orders.down = true })
	await(t, "its first failure", func() bool { return strings.Contains(s.ledger(beside, "last_error"), "orders") })
	if status := s.ledger(beside, "status"); status != "RECEIVED" {
		t.Errorf("it is %s", status)
	}
}

func TestAnAbandonedPageIsClosed(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	s.cancel(r, pb.Payment_CANCELED)
	closed := 0
	for _, r := range s.asked() {
		if r.path == "/v1/checkout/sessions/"+session+"/expire" {
			closed++
		}
	}
	if closed != 1 {
		t.Errorf("the page was closed %d times", closed)
	}
	s.paid(r, pb.Payment_CANCELED)
	s.wantCharged(0)
}

func TestACardIsNotConfirmedBesideStripesPage(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	other := s.request(r.GetPurchase(), "pm_card_visa")
	s.paid(other, pb.Payment_REQUIRES_ACTION)
	s.wantCharged(0)
	s.paysThere(session, "pm_card_visa")
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
	s.wantCharged(1)
}

func TestAPageThatWasPaidIsNotCanceled(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	s.paysThere(session, "pm_card_visa")
	s.cancel(r, pb.Payment_SUCCEEDED)
	s.wantCharged(1)
}

func TestAPageThatIsCompletedAndUnpaidGrantsNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	s.paysThere(session, "pm_sim_async_success")
	s.delivered(s.event(completeEvent), "PROCESSED")
	s.look(r.GetPurchase(), pb.Payment_PROCESSING)
	s.control("POST", "clock", map[string]any{"advance": "96h"}, nil)
	s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
}

// What the bank says of a debit that was begun on the page is told, whichever of
// Stripe's words about it is heard first, and whether or not another one is.
func TestADebitOfStripesPage(t *testing.T) {
	t.Parallel()
	const succeeded, failed = "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"
	for _, heard := range [][]string{
		{completeEvent, succeeded}, {succeeded, completeEvent}, {succeeded},
		{completeEvent, failed}, {failed, completeEvent}, {failed}, {"payment_intent.payment_failed", "payment_intent.processing"}, {},
	} {
		t.Run(strings.Join(heard, " "), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			r, session := s.hosted()
			method, want := "pm_sim_async_failure", pb.Payment_REQUIRES_PAYMENT_METHOD
			if slices.Contains(heard, succeeded) {
				method, want = "pm_sim_async_success", pb.Payment_SUCCEEDED
			}
			s.paysThere(session, method)
			late := heard
			if len(heard) > 1 && heard[0] == completeEvent {
				late = heard[1:]
				s.delivered(s.event(completeEvent), "PROCESSED")
				s.look(r.GetPurchase(), pb.Payment_PROCESSING)
				s.wantCharged(0)
			}
			s.control("POST", "clock", map[string]any{"advance": "96h"}, nil)
			for _, kind := range late {
				for range 2 {
					s.delivered(s.event(kind), "PROCESSED")
				}
			}
			got := s.look(r.GetPurchase(), want)
			if len(late) > 0 {
				got = s.lastTold(r.GetPurchase().GetOrderId())
			}
			if got.GetStatus() != want || (got.GetDecline().GetCode() != "") != (want != pb.Payment_SUCCEEDED) {
				t.Errorf("told %v", got)
			}
		})
	}
}

// A page whose time is over frees its order by Stripe's word alone.
func TestAPageThatExpiresIsTold(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	s.call("/v1/checkout/sessions/"+session+"/expire", url.Values{}, nil)
	for range 2 {
		s.delivered(s.event("checkout.session.expired"), "PROCESSED")
	}
	if told := s.lastTold(r.GetPurchase().GetOrderId()); told.GetStatus() != pb.Payment_CANCELED {
		t.Errorf("Orders was told %v", told)
	}
	s.wantCharged(0)
}

// A page that was made, and given up before its id was saved: nobody can pay there, and
// nothing has to be done when its time is over.
func TestAPageThatNobodyWasToldOfExpires(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	end := s.fault(sessions, "reset_after", 0, 0)
	r := s.request(s.purchase("jane@example.com"), "")
	r.Hosted = true
	s.paid(r, pb.Payment_UNKNOWN)
	end()
	made := s.account().Sessions
	if len(made) != 1 {
		t.Fatalf("pages at Stripe: %v", made)
	}
	s.call("/v1/checkout/sessions/"+made[0].ID+"/expire", url.Values{}, nil)
	over := s.event("checkout.session.expired")
	s.notYet(over) // the next try may still be given this page
	s.cancel(r, pb.Payment_CANCELED)
	await(t, "the event to be settled", func() bool {
		_, _ = s.deliver(over) // or our own retry has it in hand
		return s.ledger(over, "status") == "IGNORED"
	})
	s.wantCharged(0)
}

// A page whose creation was not answered is closed with its order, though its id was not
// saved: nobody was told of it, and all the same it could be paid.
func TestAPageThatNobodyWasToldOfIsClosed(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	end := s.fault(sessions, "reset_after", 0, 0)
	r := s.request(s.purchase("jane@example.com"), "")
	r.Hosted = true
	s.paid(r, pb.Payment_UNKNOWN)
	end()
	end = s.fault("GET /v1/checkout/sessions", "error_before", 0, 500)
	s.cancel(r, pb.Payment_UNKNOWN)
	end()
	s.cancel(r, pb.Payment_CANCELED)
	if made := s.account().Sessions; len(made) != 1 || made[0].Status != "expired" {
		t.Errorf("the pages at Stripe: %v", made)
	}
	s.delivered(s.event("checkout.session.expired"), "PROCESSED")
	s.wantCharged(0)
}

// A page that is made at the moment in which its order is given up is closed at Stripe,
// and nobody is sent there.
func TestCancelWhileThePageIsBeingMade(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"hang_during", "hang_after"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			end := s.fault(sessions, mode, 1, 0)
			r := s.request(s.purchase("jane@example.com"), "")
			r.Hosted = true
			var paying sync.WaitGroup
			paying.Go(func() {
				got, err := s.pay.Pay(s.context(), r)
				if err != nil || got.GetStatus() != pb.Payment_CANCELED || got.GetRedirectUrl() != "" {
					t.Errorf("the Pay that was under way: %v, %v", got, err)
				}
			})
			s.awaitHeld(1)
			s.cancel(r, pb.Payment_CANCELED)
			end()
			paying.Wait()
			made := s.account().Sessions
			if len(made) != 1 || made[0].Status != "expired" {
				t.Errorf("the pages at Stripe: %v", made)
			}
			s.paid(r, pb.Payment_CANCELED)
			s.wantCharged(0)
		})
	}
}

func TestALostAnswerAboutThePage(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"reset_after", "error_after", "error_before"} {
		s := newScene(t, nil)
		end := s.fault(sessions, mode, 2, 500)
		r := s.request(s.purchase("jane@example.com"), "")
		r.Hosted = true
		for range 4 {
			if p, err := s.pay.Pay(s.context(), r); err != nil || p.GetStatus() != pb.Payment_UNKNOWN && p.GetStatus() != pb.Payment_REQUIRES_ACTION {
				t.Errorf("%s: %v, %v", mode, p.GetStatus(), err)
			}
		}
		end()
		p := s.paid(r, pb.Payment_REQUIRES_ACTION)
		s.paysThere(p.GetRedirectUrl()[strings.LastIndex(p.GetRedirectUrl(), "/")+1:], "pm_card_visa")
		s.look(r.GetPurchase(), pb.Payment_SUCCEEDED)
		s.wantCharged(1)
		if made := s.account().Sessions; len(made) != 1 { // another one would stay open
			t.Errorf("%s: the pages at Stripe: %v", mode, made)
		}
	}
}
