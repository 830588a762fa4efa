package payments_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

func (s *scene) restored(chargeID string) *pb.RestoreChargeResponse {
	s.t.Helper()
	r, err := s.sweep().RestoreCharge(s.context(), &pb.RestoreChargeRequest{ChargeId: chargeID})
	if err != nil {
		s.t.Fatalf("RestoreCharge: %v", err)
	}
	return r
}

// wantRestored checks that an answer has all that Orders needs of a purchase.
func (s *scene) wantRestored(r *pb.RestoreChargeResponse, bought *pb.Purchase, paid *pb.Payment) {
	s.t.Helper()
	p := r.GetPayment()
	if r.GetMissing() != "" || r.GetReference() != bought.GetReference() || r.GetPlanId() != bought.GetPlanId() || r.GetEmail() != bought.GetEmail() ||
		r.GetName() != bought.GetName() || r.GetAccountId() != bought.GetAccountId() || r.GetRenewsOrderId() != "" {
		s.t.Errorf("restored as %v", r)
	}
	if p.GetStatus() != pb.Payment_SUCCEEDED || p.GetOrderId() != bought.GetOrderId() || p.GetChargeId() != paid.GetChargeId() || p.GetAmountMinor() != price ||
		p.GetCurrency() != "USD" || p.GetPaymentIntentId() != paid.GetPaymentIntentId() || p.GetCustomerId() != paid.GetCustomerId() || p.GetChargedAt() == nil {
		s.t.Errorf("its payment is %v", p)
	}
}

func TestALostChargeIsWrittenDownAgain(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]string{"the payments": "", "the customers, too": "DELETE FROM payments.customers"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			buy := s.purchase("Jane@Example.com")
			buy.AccountId = "acct-7"
			r := s.request(buy, "pm_card_visa")
			paid := s.paid(r, pb.Payment_SUCCEEDED)
			s.wantRestored(s.restored(paid.GetChargeId()), buy, paid) // as it is recorded
			s.loseRecords(lost)
			s.orders.set(func() { s.orders.told = nil })
			for range 2 {
				s.wantRestored(s.restored(paid.GetChargeId()), buy, paid)
				if c := s.seenOne(paid.GetChargeId()); !c.GetRecorded() {
					t.Error("it is not recorded")
				}
			}
			if len(s.orders.calls("")) != 0 || len(s.orders.adopted) != 0 {
				t.Error("Orders was told")
			}
			s.look(buy, pb.Payment_SUCCEEDED)
			s.wantCharged(1)
		})
	}
}

// What became of the charge meanwhile comes with it.
func TestARestoredChargeTellsWhatWentBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	paid := s.paid(s.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	s.call("/v1/refunds", url.Values{"charge": {paid.GetChargeId()}, "amount": {"1000"}}, nil)
	if p := s.restored(paid.GetChargeId()).GetPayment(); p.GetRefundedMinor() != 1000 {
		t.Errorf("recorded before: %v", p)
	}
	s.loseRecords("")
	s.disputed(paid)
	if p := s.restored(paid.GetChargeId()).GetPayment(); p.GetRefundedMinor() != 1000 || p.GetDispute() != pb.Payment_OPEN {
		t.Errorf("lost: %v", p)
	}
}

func TestAChargeThatIsPaidAndNotKnownAsPaidIsRecorded(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, _ := s.unrecorded()
	charge := s.account().Charges[0]
	if c := s.seenOne(charge.ID); c.GetOwner() != pb.SeenCharge_OURS || c.GetRecorded() {
		t.Errorf("%v", c)
	}
	if got := s.restored(charge.ID); got.GetPayment().GetOrderId() != r.GetPurchase().GetOrderId() || got.GetPayment().GetStatus() != pb.Payment_SUCCEEDED || got.GetMissing() != "" {
		t.Errorf("%v", got)
	}
}

// The row that came after a canceled one was lost: the money is the order's.
func TestAChargeAfterACanceledPaymentIsRestoredBesideIt(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	buy := s.purchase("jane@example.com")
	paid := s.paid(s.request(buy, "pm_card_visa"), pb.Payment_SUCCEEDED)
	s.exec(`DELETE FROM payments.attempts`)
	s.exec(`UPDATE payments.payments SET status = 'CANCELED', payment_intent_id = 'pi_before', charge_id = NULL, received_minor = NULL, charged_at = NULL`)
	s.wantRestored(s.restored(paid.GetChargeId()), buy, paid)
	if rows := s.text(`SELECT string_agg(seq || status, ',' ORDER BY seq) FROM payments.payments`); rows != "1CANCELED,2SUCCEEDED" {
		t.Errorf("payments %s", rows)
	}
}

// Money beside an open page is written down once the page cannot be paid any more.
func TestAChargeBesideAnOpenPageIsRestoredAndThePageClosed(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	charge, other := s.paidTwice(r, &pb.Payment{CustomerId: s.account().Customers[0].ID})
	beside := s.event("payment_intent.succeeded")
	s.notYet(beside)
	end := s.fault("POST /v1/checkout/sessions/"+session+"/expire", "error_before", 99, 500)
	if _, err := s.sweep().RestoreCharge(s.context(), &pb.RestoreChargeRequest{ChargeId: charge}); err == nil {
		t.Error("written down beside a page that may be open")
	}
	end()
	if p := s.restored(charge).GetPayment(); p.GetStatus() != pb.Payment_SUCCEEDED || p.GetPaymentIntentId() != other {
		t.Errorf("restored as %v", p)
	}
	s.event("checkout.session.expired")
	await(t, "the event that waited", func() bool { return s.ledger(beside, "status") == "PROCESSED" })
}

func TestAChargeBesideAPaidPageIsASecondOne(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, session := s.hosted()
	charge, other := s.paidTwice(r, &pb.Payment{CustomerId: s.account().Customers[0].ID})
	s.paysThere(session, "pm_card_visa") // of which nobody heard here
	if missing := s.restored(charge).GetMissing(); !strings.Contains(missing, "this was paid for it too") {
		t.Errorf("missing %q", missing)
	}
	if p := s.look(r.GetPurchase(), pb.Payment_SUCCEEDED); p.GetPaymentIntentId() == other {
		t.Errorf("known as paid by %v", p)
	}
}

func TestWhatCannotBeRestoredSaysWhy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ownership.json")
	if err := os.WriteFile(path, []byte(`{"rules": [{"metadata": {"key": "shop"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newScene(t, map[string]string{"OWNERSHIP_FILE": path})
	first := s.paid(s.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	pay := func(form url.Values) string {
		form["amount"], form["currency"], form["confirm"] = []string{fmt.Sprint(price)}, []string{"usd"}, []string{"true"}
		form["payment_method"], form["payment_method_types[]"] = []string{"pm_card_visa"}, []string{"card"}
		var pi struct {
			Charge string `json:"latest_charge"`
		}
		s.call("/v1/payment_intents", form, &pi)
		return pi.Charge
	}
	rows := s.text(`SELECT count(*)::text FROM payments.payments`)
	for name, want := range map[string]struct {
		form    url.Values
		missing string
		orderID string // empty: one that derives from the charge
	}{
		"the old checkout's": {url.Values{"metadata[shop]": {"old"}, "customer": {first.GetCustomerId()}}, "a person must name", ""},
		"without an order": {url.Values{"metadata[makegood_app]": {"makegood"}, "metadata[plan_id]": {"annual"}, "customer": {first.GetCustomerId()}},
			"order id and reference", ""},
		"a second one": {url.Values{"metadata[makegood_app]": {"makegood"}, "metadata[order_id]": {first.GetOrderId()}, "metadata[reference]": {first.GetOrderId()},
			"customer": {first.GetCustomerId()}}, "paid for it too", first.GetOrderId()},
	} {
		id := pay(want.form)
		got := s.restored(id)
		if p := got.GetPayment(); !strings.Contains(got.GetMissing(), want.missing) || p.GetChargeId() != id || p.GetStatus() != pb.Payment_SUCCEEDED || p.GetAmountMinor() != price ||
			got.GetEmail() != "jane@example.com" || want.orderID != "" && p.GetOrderId() != want.orderID || want.orderID == "" && got.GetReference() == "" {
			t.Errorf("%s: %v", name, got)
		}
		if again := s.restored(id); again.String() != got.String() {
			t.Errorf("%s: another time it is %v", name, again)
		}
	}
	if got := s.restored(pay(url.Values{"receipt_email": {"jane@example.com"}})); got.GetMissing() == "" || got.GetPayment() != nil || got.GetEmail() != "" {
		t.Errorf("foreign: %v", got)
	}
	if after := s.text(`SELECT count(*)::text FROM payments.payments`); after != rows {
		t.Errorf("%s payments are saved, and there were %s", after, rows)
	}
	for kind := range reconciliationv1.Case_Kind_name { // whoever asked opens the case that it needs
		if n := s.cases.count(reconciliationv1.Case_Kind(kind), "order/"+first.GetOrderId()); n > 0 {
			t.Errorf("%d cases of kind %d", n, kind)
		}
	}

	_, err := s.sweep().RestoreCharge(s.context(), &pb.RestoreChargeRequest{ChargeId: "ch_unknown"})
	wantError(t, "an unknown charge", err, codes.NotFound, "CHARGE_NOT_FOUND")
	s.fault("GET /v1/charges/*", "error_before", 0, http.StatusTooManyRequests)
	_, err = s.sweep().RestoreCharge(s.context(), &pb.RestoreChargeRequest{ChargeId: first.GetChargeId()})
	wantError(t, "a silent Stripe", err, codes.Unavailable, "STRIPE_UNREACHABLE")
}

// A subscription of which everything was lost: its charges inherit from it, and
// any of them brings back what it needs.
func TestALostRenewalIsRestoredWithWhatItRenews(t *testing.T) {
	t.Parallel()
	s := subscribed(t, nil)
	s.passes(366 * day)
	s.hears()
	s.wantTerms(2)
	renewal := s.orders.renewals(s.orderID)[0]
	var charges []string
	for _, c := range s.account().Charges {
		charges = append(charges, c.ID)
	}
	for _, lost := range []bool{false, true} {
		if lost {
			s.loseRecords(`DELETE FROM payments.customers`)
			s.exec(`DELETE FROM payments.subscriptions`)
		}
		first, later := s.byID(charges[0]), s.byID(charges[1])
		s.wantOwner(first, pb.SeenCharge_OURS, s.orderID, "")
		s.wantOwner(later, pb.SeenCharge_OURS, renewal.GetPayment().GetOrderId(), "")
		got := s.restored(charges[1])
		if p := got.GetPayment(); got.GetMissing() != "" || got.GetRenewsOrderId() != s.orderID || got.GetReference() != renewal.GetReference() ||
			p.GetOrderId() != renewal.GetPayment().GetOrderId() || p.GetChargeId() != charges[1] || p.GetTerm().String() != renewal.GetPayment().GetTerm().String() {
			t.Errorf("lost %v: the renewal is restored as %v", lost, got)
		}
		got = s.restored(charges[0])
		if p := got.GetPayment(); got.GetMissing() != "" || got.GetRenewsOrderId() != "" || got.GetReference() != s.request.GetPurchase().GetReference() ||
			p.GetOrderId() != s.orderID || p.GetTerm() == nil || got.GetEmail() != "jane@example.com" {
			t.Errorf("lost %v: the first term is restored as %v", lost, got)
		}
	}
}

// byID sees one charge by its id.
func (s *scene) byID(chargeID string) *pb.SeenCharge {
	s.t.Helper()
	page, err := s.sweep().ListCharges(s.context(), &pb.ListChargesRequest{ChargeIds: []string{chargeID}})
	if err != nil || len(page.GetCharges()) != 1 {
		s.t.Fatalf("charge %s: %v %v", chargeID, page, err)
	}
	return page.GetCharges()[0]
}

// Whoever knows what was paid can ask what is still known here, without Stripe.
func TestWhatIsRecordedIsToldWithoutStripe(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	paid := s.bought("pm_card_visa")
	s.forget()
	ask := func() []string {
		t.Helper()
		got, err := s.sweep().MatchPayments(s.context(), &pb.MatchPaymentsRequest{ChargeIds: []string{paid.GetChargeId(), "ch_unknown"}})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetRecordedChargeIds()
	}
	if got := ask(); len(got) != 1 || got[0] != paid.GetChargeId() {
		t.Errorf("recorded: %v", got)
	}
	s.loseRecords("")
	if got := ask(); len(got) != 0 {
		t.Errorf("recorded after the loss: %v", got)
	}
	if asked := s.asked(); len(asked) != 0 {
		t.Errorf("Stripe was asked: %v", asked)
	}
}
