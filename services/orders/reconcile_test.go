package orders_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

const byReconciliation = ordersv1.AdvanceOrderRequest_RECONCILIATION

func (s *scene) match(keys ...*ordersv1.ChargeKeys) map[string]*ordersv1.ChargeMatch {
	s.t.Helper()
	got, err := s.admin("reconciliation").MatchCharges(s.t.Context(), &ordersv1.MatchChargesRequest{Charges: keys})
	if err != nil {
		s.t.Fatal(err)
	}
	if want := s.count(`SELECT coalesce(max(id), 0) FROM orders.history`); got.GetHistoryPosition() != int64(want) {
		s.t.Errorf("position %d, want %d", got.GetHistoryPosition(), want)
	}
	out := map[string]*ordersv1.ChargeMatch{}
	for _, m := range got.GetMatches() {
		if out[m.GetChargeId()] != nil {
			s.t.Errorf("charge %s is matched twice", m.GetChargeId())
		}
		out[m.GetChargeId()] = m
	}
	return out
}

func TestChargesAreMatchedByAnyOfTheirKeys(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	d := s.describe(o)
	none := &ordersv1.ChargeKeys{ChargeId: "ch_unknown", PaymentIntentId: "pi_unknown", OrderId: uuid.NewString()}
	got := s.match(
		&ordersv1.ChargeKeys{ChargeId: d.GetChargeId()},
		&ordersv1.ChargeKeys{ChargeId: "ch_by_intent", PaymentIntentId: d.GetPaymentIntentId()},
		&ordersv1.ChargeKeys{ChargeId: "ch_by_order", OrderId: o.GetId()},
		&ordersv1.ChargeKeys{ChargeId: "ch_nonsense", OrderId: "no-uuid"}, none,
	)
	if len(got) != 3 {
		t.Fatalf("matched %v", got)
	}
	for charge, m := range got {
		if m.GetOrderId() != o.GetId() || m.GetState() != complete || m.GetPaidByChargeId() != d.GetChargeId() ||
			m.GetAmountMinor() != o.GetAmountMinor() || m.GetCurrency() != "USD" || m.GetCompletedAt() == nil || m.GetDuplicateOfOrderId() != "" {
			t.Errorf("%s: %v", charge, m)
		}
	}
	if got := s.match(); len(got) != 0 {
		t.Errorf("no charges: %v", got)
	}
}

func TestTwoPurchasesOfOnePersonWithinTheWindowAreADuplicate(t *testing.T) {
	s := newScene(t)
	buy := func(p purchase) *ordersv1.Order {
		t.Helper()
		p.repeat = true // so that Orders lets it through; the mark is taken off below
		return s.mustPlace(p, complete)
	}
	first := buy(purchase{})
	s.clock.Advance(9 * time.Minute)
	second := buy(purchase{email: "Jane@Example.com"})
	s.clock.Advance(time.Second)
	meant := buy(purchase{})
	other := buy(purchase{email: "joe@example.com"})
	s.clock.Advance(11 * time.Minute)
	later := buy(purchase{})
	s.exec(`UPDATE orders.orders SET allow_repeat = false WHERE id <> $1`, meant.GetId())
	duplicateOf := func(o *ordersv1.Order) string {
		t.Helper()
		charge := s.describe(o).GetChargeId()
		return s.match(&ordersv1.ChargeKeys{ChargeId: charge})[charge].GetDuplicateOfOrderId()
	}
	for name, c := range map[string]struct {
		order *ordersv1.Order
		want  string
	}{"first": {first, ""}, "second": {second, first.GetId()}, "meant": {meant, ""}, "another person": {other, ""}, "after the window": {later, ""}} {
		if got := duplicateOf(c.order); got != c.want {
			t.Errorf("%s: a duplicate of %q, want %q", name, got, c.want)
		}
	}
	charge := s.describe(second).GetChargeId()
	got, err := s.admin("reconciliation").MatchCharges(t.Context(), &ordersv1.MatchChargesRequest{Charges: []*ordersv1.ChargeKeys{{ChargeId: charge}}, WithoutDuplicates: true})
	if err != nil || len(got.GetMatches()) != 1 || got.GetMatches()[0].GetOrderId() != second.GetId() || got.GetMatches()[0].GetDuplicateOfOrderId() != "" || got.GetHistoryPosition() == 0 {
		t.Errorf("without a look for duplicates: %v, %v", got, err)
	}
	// Two subscriptions are two as well, and each would be charged year after year.
	s.exec(`UPDATE orders.orders SET renews = true, checkout = 'HOSTED' WHERE email_key = 'jane@example.com'`)
	if got := duplicateOf(second); got != first.GetId() {
		t.Errorf("the second subscription is a duplicate of %q, want %q", got, first.GetId())
	}
	s.exec(`UPDATE orders.orders SET renews = false, checkout = 'SERVER' WHERE email_key = 'jane@example.com'`)
	s.became(first, first.GetAmountMinor(), 0)
	if got := duplicateOf(second); got != "" {
		t.Errorf("the first was refunded, and the second is a duplicate of %s", got)
	}
}

func TestCompletedOrdersAreListedWithWhatConfirmsThem(t *testing.T) {
	s := newScene(t)
	from := s.clock.Now()
	var want []string
	for i := range 5 {
		o := s.mustPlace(purchase{email: uuid.NewString() + "@example.com"}, complete)
		want = append(want, "CONFIRMATION order/"+o.GetId()+"/confirmation")
		if i == 2 {
			s.clock.Advance(time.Second)
		}
	}
	s.mustPlace(purchase{email: "joe@example.com"}, complete)
	s.exec(`UPDATE orders.orders SET state = 'RECOVERED' WHERE email_key = 'joe@example.com'`)
	refundedOne := s.mustPlace(purchase{email: "ann@example.com"}, complete)
	s.became(refundedOne, refundedOne.GetAmountMinor(), 0)

	var got []string
	recoveries := 0
	req := &ordersv1.ListCompletedRequest{From: timestamppb.New(from), Before: timestamppb.New(s.clock.Now().Add(time.Second)), PageSize: 2}
	for {
		page, err := s.admin("reconciliation").ListCompleted(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.GetOrders() {
			if o.GetMessageKind() == "RECOVERY" {
				recoveries++
				continue
			}
			got = append(got, o.GetMessageKind()+" "+o.GetDedupeKey())
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || recoveries != 1 {
		t.Errorf("listed %v and %d recoveries, want %v", got, recoveries, want)
	}
	await(t, "every confirmation is what was listed", func() bool {
		sent := s.peers.notifications.sent()
		return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(sent, w) })
	})
}

func TestAccessThatWasLostIsGivenAgainForItsOwnPeriod(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	until := o.GetAccessUntil().AsTime()
	await(t, "the confirmation", func() bool { return len(s.peers.notifications.sent()) == 1 })
	s.clock.Advance(40 * 24 * time.Hour)
	if _, err := s.advance(o, "reconciliation", byReconciliation); err != nil {
		t.Fatal(err)
	}
	if d := s.describe(o); len(d.GetHistory()) != 3 {
		t.Errorf("nothing was lost, and the history says: %v", d.GetHistory())
	}

	s.peers.provisioning.set(func(f *fakeProvisioning) { f.lost = true; f.grants = nil })
	// News that Payments caught up on must not mend it by the way: that it was
	// lost has to be noticed.
	if _, err := s.admin("payments").AdvanceOrder(t.Context(), &ordersv1.AdvanceOrderRequest{
		OrderId: o.GetId(), Reason: byReconciliation, Payment: s.arrived(o, "ch"),
	}); err != nil {
		t.Fatal(err)
	}
	if again := s.peers.provisioning.grantOf(o.GetId()); again != nil {
		t.Errorf("given again by news: %v", again)
	}
	got, err := s.advance(o, "reconciliation", byReconciliation)
	if err != nil {
		t.Fatal(err)
	}
	again := s.peers.provisioning.grantOf(o.GetId())
	if !again.GetAgain() || !again.GetPeriodEnd().AsTime().Equal(until) || !again.GetPeriodStart().AsTime().Equal(o.GetCompletedAt().AsTime()) ||
		again.GetAccountOrderId() != o.GetId() {
		t.Errorf("granted again: %v", again)
	}
	if got.GetState() != complete || !got.GetAccessUntil().AsTime().Equal(until) || got.GetRecoveredBy() != "" {
		t.Errorf("the order is %v", got)
	}
	d := s.describe(o)
	if last := d.GetHistory()[len(d.GetHistory())-1]; last.GetReason() != "reconciliation" || !strings.Contains(last.GetNote(), "given again") || last.GetToState() != complete {
		t.Errorf("the history ends with %v", last)
	}
	if n := len(s.peers.notifications.sent()); n != 1 {
		t.Errorf("%d messages", n)
	}

	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	_, err = s.advance(o, "reconciliation", byReconciliation)
	wantError(t, "when nobody can say that there is access", err, codes.Unavailable, "AWAY")
}

func TestWithdrawnAccessIsOnlyRestoredWhenTheMoneyIsThere(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.revoked = true })
	news := s.arrived(o, "ch")
	says := func(p *paymentsv1.Payment) {
		s.peers.payments.set(func(f *fakePayments) {
			f.onLook = func(context.Context, *paymentsv1.Purchase, string) (*paymentsv1.Payment, error) { return p, nil }
		})
	}
	says(news)
	if _, err := s.advance(o, "reconciliation", byReconciliation); err != nil {
		t.Fatal(err)
	}
	s.wantTaken(0, 1)
	refund := s.arrived(o, "ch")
	refund.RefundedMinor = o.GetAmountMinor()
	says(refund)
	got, err := s.advance(o, "reconciliation", byReconciliation)
	if err != nil || got.GetState() != refunded {
		t.Errorf("%v, %v", got, err)
	}
	s.wantTaken(1, 1)
}

// Access whose money was lost stays withdrawn, whoever doubts that everything is as it
// should be.
func TestAccessThatWasLostWithItsMoneyIsNotGivenAgain(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	s.became(o, 0, paymentsv1.Payment_LOST)
	s.wantTaken(1, 0)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.revoked = true })
	if _, err := s.advance(o, "reconciliation", byReconciliation); err != nil {
		t.Fatal(err)
	}
	s.wantTaken(2, 0)
	if d := s.describe(o); d.GetAccessWithdrawnAt() == nil || d.GetOrder().GetAccessUntil().AsTime().After(s.clock.Now()) {
		t.Errorf("described as %v", d)
	}
}

// The money is lost just when access is given again that Provisioning had withdrawn by
// itself: the last word is that it is withdrawn.
func TestAccessThatIsGivenAgainWhileItsMoneyIsLost(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.revoked = true })
	before, lost := s.arrived(o, "ch"), s.arrived(o, "ch")
	lost.Dispute = paymentsv1.Payment_LOST
	var looks atomic.Int32
	s.peers.payments.set(func(f *fakePayments) {
		f.onLook = func(context.Context, *paymentsv1.Purchase, string) (*paymentsv1.Payment, error) {
			if looks.Add(1) > 1 {
				return lost, nil
			}
			if _, err := s.news(o, lost); err != nil { // between this answer and what is done with it
				t.Error(err)
			}
			return before, nil
		}
	})
	if _, err := s.advance(o, "reconciliation", byReconciliation); err != nil {
		t.Fatal(err)
	}
	s.wantTaken(2, 1)
	if d := s.describe(o); d.GetAccessWithdrawnAt() == nil || d.GetDispute() != paymentsv1.Payment_LOST {
		t.Errorf("described as %v", d)
	}
}
