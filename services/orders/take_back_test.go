package orders_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

const refunded = ordersv1.Order_REFUNDED

// became is news of a paid order's charge: what went back, and a dispute.
func (s *scene) became(o *ordersv1.Order, minor int64, dispute paymentsv1.Payment_Dispute) *ordersv1.Order {
	s.t.Helper()
	news := s.arrived(o, "ch")
	news.RefundedMinor, news.Dispute = minor, dispute
	s.peers.payments.set(func(f *fakePayments) {
		f.onLook = func(context.Context, *paymentsv1.Purchase, string) (*paymentsv1.Payment, error) { return news, nil }
	})
	got, err := s.news(o, news)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

func (s *scene) wantTaken(revokes, restores int) {
	s.t.Helper()
	if r, b := s.peers.provisioning.taken(); r != revokes || b != restores {
		s.t.Errorf("withdrawn %d times and restored %d times, want %d and %d", r, b, revokes, restores)
	}
}

func TestAPartialRefundKeepsAccessAndIsTold(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	if got := s.became(o, 5000, 0); got.GetState() != complete {
		t.Errorf("%s", got.GetState())
	}
	s.became(o, 5000, 0) // the same news again
	s.wantTaken(0, 0)
	if d := s.describe(o); d.GetRefundedMinor() != 5000 || d.GetRefundedDisplay() != "$50.00" || d.GetNextLookAt() != nil {
		t.Errorf("described as %v", d)
	}
	await(t, "the mail about it", func() bool {
		return slices.Contains(s.peers.notifications.sent(), "REFUND order/"+o.GetId()+"/refund/5000")
	})
	if n := len(s.peers.notifications.sent()); n != 2 {
		t.Errorf("%d messages", n)
	}
}

func TestAFullRefundWithdrawsAccessOnce(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	s.became(o, 10000, 0)
	for range 3 {
		if got := s.became(o, 24900, 0); got.GetState() != refunded {
			t.Errorf("%s", got.GetState())
		}
	}
	s.wantTaken(1, 0)
	if d := s.describe(o); d.GetAccessWithdrawnAt() == nil || d.GetNextLookAt() != nil {
		t.Errorf("described as %v", d)
	}
	// A late "paid" revives nothing.
	if got, err := s.news(o, s.arrived(o, "ch")); err != nil || got.GetState() != refunded {
		t.Errorf("%v %v", got.GetState(), err)
	}
	if d := s.describe(o); d.GetRefundedMinor() != 24900 {
		t.Errorf("after late news: %v", d)
	}
}

// News that was overtaken on its way undoes nothing: neither what went back nor
// how a dispute ended.
func TestNewsThatWasOvertaken(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	s.became(o, 5000, paymentsv1.Payment_LOST)
	for _, old := range []paymentsv1.Payment_Dispute{0, paymentsv1.Payment_OPEN} {
		late := s.arrived(o, "ch")
		late.Dispute = old
		if _, err := s.news(o, late); err != nil {
			t.Fatal(err)
		}
	}
	s.wantTaken(1, 0)
	if d := s.describe(o); d.GetRefundedMinor() != 5000 || d.GetDispute() != paymentsv1.Payment_LOST {
		t.Errorf("described as %v", d)
	}
	// Payments does not answer: it is told that its news is not taken.
	late := s.arrived(o, "ch")
	s.peers.payments.set(func(f *fakePayments) { f.onLook = fails(away) })
	if _, err := s.news(o, late); err == nil {
		t.Error("news was acknowledged that nothing came of")
	}
}

func TestARefundRestsOnlyWhenTheAccessIsWithdrawn(t *testing.T) {
	s := newScene(t, looksOn)
	o := s.mustPlace(purchase{}, complete)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	s.became(o, 24900, 0)
	if d := s.describe(o); d.GetOrder().GetState() != refunded || d.GetNextLookAt() == nil || d.GetAccessWithdrawnAt() != nil {
		t.Errorf("described as %v", d)
	}
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	s.clock.Advance(30 * time.Second)
	await(t, "the access is withdrawn", func() bool { d := s.describe(o); return d.GetAccessWithdrawnAt() != nil && d.GetNextLookAt() == nil })
}

func TestARefundWhileAccessIsNotGrantedYet(t *testing.T) {
	s := newScene(t)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	o := s.mustPlace(purchase{}, charged)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	if got := s.became(o, 24900, 0); got.GetState() != refunded {
		t.Errorf("%s", got.GetState())
	}
	s.wantTaken(1, 0) // a mark, so that it never will be granted
	if orders, _ := s.peers.provisioning.granted(); orders != 0 {
		t.Error("what was refunded is granted")
	}
}

// The money went back while Provisioning was giving the access for it: what it gave is
// taken, and nobody is told that they have it.
func TestARefundWhileAccessIsBeingGranted(t *testing.T) {
	s := newScene(t)
	for try := 1; !s.refundedWhileBeingGranted(fmt.Sprintf("jane-%d@example.com", try), try); try++ {
		if try == 20 {
			t.Fatal("nobody waits for the access as long as it takes to refund it")
		}
	}
}

// refundedWhileBeingGranted says whether it came to that: Orders waits five seconds for
// the access, which a busy machine may have used up before the money goes back.
func (s *scene) refundedWhileBeingGranted(email string, try int) bool {
	s.t.Helper()
	granting := make(chan struct{})
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.wait = granting })
	key, done := uuid.NewString(), make(chan *ordersv1.Order, 1)
	go func() {
		o, _ := s.place(purchase{key: key, email: email})
		done <- o
	}()
	await(s.t, "the grant", func() bool { _, calls := s.peers.provisioning.granted(); return calls == try })
	o := s.get(&ordersv1.Order{Reference: key})
	if o.GetState() != charged {
		s.t.Fatal(o.GetState())
	}
	if got := s.became(o, 24900, 0); got.GetState() != refunded {
		s.t.Errorf("%s", got.GetState())
	}
	close(granting)
	switch got := <-done; got.GetState() {
	case charged: // it was told before the money went back
		return false
	case refunded:
	default:
		s.t.Errorf("the buyer's own request is told %s", got.GetState())
	}
	s.wantTaken(try, 0)
	d := s.describe(o)
	if d.GetOrder().GetState() != refunded || d.GetAccessWithdrawnAt() == nil || d.GetNextLookAt() != nil || d.GetOrder().GetCompletedAt() != nil {
		s.t.Errorf("described as %v", d)
	}
	if sent := s.peers.notifications.sent(); slices.ContainsFunc(sent, func(m string) bool { return strings.HasPrefix(m, "CONFIRMATION") }) {
		s.t.Errorf("told %v", sent)
	}
	return true
}

func TestARefundThatIsHeardOfBeforeThePayment(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(fails(away))
	o := s.mustPlace(purchase{key: uuid.NewString()}, pending)
	if got := s.became(o, 24900, 0); got.GetState() != refunded {
		t.Errorf("%s", got.GetState())
	}
	s.wantTaken(1, 0)
	if orders, _ := s.peers.provisioning.granted(); orders != 0 {
		t.Error("what was refunded is granted")
	}
}

func TestADisputeTakesAccessOnlyWhenItIsLost(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	s.became(o, 0, paymentsv1.Payment_OPEN)
	s.wantTaken(0, 0)
	if got := s.became(o, 0, paymentsv1.Payment_LOST); got.GetState() != complete {
		t.Errorf("%s", got.GetState())
	}
	s.wantTaken(1, 0)
	if until := s.get(o).GetAccessUntil().AsTime(); until.After(s.clock.Now()) {
		t.Errorf("the buyer is told of access until %s after it was withdrawn", until)
	}
	s.became(o, 0, paymentsv1.Payment_WON)
	if until := s.get(o).GetAccessUntil().AsTime(); !until.After(s.clock.Now()) {
		t.Errorf("the buyer is told that access ended at %s after it was restored", until)
	}
	s.wantTaken(1, 1)
	if d := s.describe(o); d.GetAccessWithdrawnAt() != nil || d.GetNextLookAt() != nil || d.GetDispute() != paymentsv1.Payment_WON {
		t.Errorf("described as %v", d)
	}
}

func TestABankThatSaysNoAfterDaysIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		first paymentsv1.Payment_Status // heard of before the no
		buys  purchase
	}{
		"its word that it has it was heard":  {paymentsv1.Payment_PROCESSING, purchase{}},
		"its no is heard first":              {paymentsv1.Payment_REQUIRES_PAYMENT_METHOD, purchase{client: true}},
		"its no is heard first, of the page": {paymentsv1.Payment_REQUIRES_ACTION, hosted()},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.peers.payments.says(says(c.first))
			o := s.mustPlace(c.buys, pending)
			s.clock.Advance(20 * time.Hour)
			s.peers.payments.says(declines("insufficient_funds", "Not enough."))
			if got, err := s.orders.ConfirmOrder(t.Context(), &ordersv1.ConfirmOrderRequest{Reference: o.GetReference()}); err != nil || got.GetState() != failed {
				t.Fatalf("%v %v", got.GetState(), err)
			}
			await(t, "the mail about it", func() bool {
				return slices.Contains(s.peers.notifications.sent(), "PAYMENT_FAILED order/"+o.GetId()+"/not-charged")
			})
		})
	}
}
