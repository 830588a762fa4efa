package orders_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// invoices names a subscription's later orders as Payments does.
var invoices = uuid.MustParse("5f0f1f6e-8f57-5d0e-8c51-0a6c2a0f7a11")

// renewal is how Payments tells of a later year of o's subscription.
func (s *scene) renewal(o *ordersv1.Order, year int) *ordersv1.AdoptChargeRequest {
	id := uuid.NewSHA1(invoices, []byte{byte(year)})
	paid := s.peers.payments.charge(id.String(), "ch", 24900, "USD", "")
	paid.Term = s.term(0)
	return &ordersv1.AdoptChargeRequest{
		Reference: uuid.NewSHA1(id, []byte("reference")).String(), RenewsOrderId: o.GetId(), Payment: paid,
	}
}

func (s *scene) renew(o *ordersv1.Order, year int) (*ordersv1.Order, error) {
	return s.adopt(s.renewal(o, year))
}

func TestARenewalIsOneOrderHoweverOftenItIsTold(t *testing.T) {
	s := newScene(t)
	first := s.subscribed()
	s.clock.Advance(365*24*time.Hour + time.Hour)
	told := s.renewal(first, 1)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := s.adopt(told); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	o, err := s.adopt(told)
	if err != nil || o.GetKind() != ordersv1.Order_RENEWAL || o.GetState() != complete || o.GetId() != told.GetPayment().GetOrderId() ||
		o.GetReference() != told.GetReference() || o.GetPlanId() != "annual-subscription" || o.GetRecoveredBy() != "webhook" {
		t.Fatalf("%v %v", o, err)
	}
	s.wantHistory(o, ">CHARGED webhook system", "CHARGED>COMPLETE webhook system")
	if orders, _ := s.peers.provisioning.granted(); orders != 2 {
		t.Errorf("%d orders have access", orders)
	}
	g, d := s.peers.provisioning.grantOf(o.GetId()), s.describe(o)
	if g.GetSubscriptionId() != "sub_1" || !g.GetPeriodEnd().AsTime().Equal(told.GetPayment().GetTerm().GetPeriodEnd().AsTime()) ||
		g.GetEmail() != "jane@example.com" || d.GetName() != "Jane Doe" || d.GetChargeId() != "ch_"+o.GetId() {
		t.Errorf("granted %v, described as %v", g, d)
	}
	await(t, "both mails", func() bool { return len(s.peers.notifications.sent()) >= 2 })
	if got := s.peers.notifications.sent(); !slices.Equal(got, []string{"CONFIRMATION order/" + first.GetId() + "/confirmation", "RENEWED order/" + o.GetId() + "/confirmation"}) {
		t.Errorf("sent %v", got)
	}
	s.wantCases()
	if s.get(first).GetState() != complete {
		t.Error("the first order has changed")
	}
}

// Money that arrived is in no renewal's way, and neither is a renewal in the way
// of what its buyer does otherwise.
func TestARenewalIsNobodysDuplicate(t *testing.T) {
	s := newScene(t, looksOn, byHand)
	first := s.subscribed()
	s.clock.Advance(365 * 24 * time.Hour)
	s.follow(first, paymentsv1.Subscription_UNPAID, nil)
	waiting := s.mustPlace(subscribing(false), pending) // its page stays open
	if o, err := s.renew(first, 1); err != nil || o.GetState() != complete {
		t.Fatalf("%v %v", o.GetState(), err)
	}
	s.peers.payments.set(func(f *fakePayments) { f.onLook = opens() })
	s.look(waiting)
	if got := s.get(waiting); got.GetState() != pending {
		t.Errorf("the page was given up: %s", got.GetState())
	}
	if o, err := s.renew(first, 2); err != nil || o.GetState() != complete {
		t.Errorf("the year after: %v %v", o.GetState(), err)
	}
	s.wantCases()
}

func TestWhatARenewalMustSay(t *testing.T) {
	s := newScene(t)
	first := s.subscribed()
	for name, c := range map[string]struct {
		change func(*ordersv1.AdoptChargeRequest)
		code   codes.Code
		reason string
	}{
		"nobody knows what it renews": {func(r *ordersv1.AdoptChargeRequest) { r.RenewsOrderId = uuid.NewString() }, codes.NotFound, "ORDER_NOT_FOUND"},
		"no term":                     {func(r *ordersv1.AdoptChargeRequest) { r.Payment.Term = nil }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"no order id":                 {func(r *ordersv1.AdoptChargeRequest) { r.Payment.OrderId = "" }, codes.InvalidArgument, "INVALID_ARGUMENT"},
		"the first order's id":        {func(r *ordersv1.AdoptChargeRequest) { r.Payment.OrderId = first.GetId() }, codes.InvalidArgument, "INVALID_ARGUMENT"},
	} {
		r := s.renewal(first, 1)
		c.change(r)
		_, err := s.adopt(r)
		wantError(t, name, err, c.code, c.reason)
	}
	renewed, err := s.renew(first, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.renew(renewed, 2)
	wantError(t, "a renewal of a renewal", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	if n := s.count("SELECT count(*) FROM orders.orders"); n != 2 {
		t.Errorf("%d orders", n)
	}
}

// What a kill between the insert and the grant leaves, the order's own look finishes.
func TestARenewalIsFinishedByItsLook(t *testing.T) {
	s := newScene(t, looksOn)
	first := s.subscribed()
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	o, err := s.renew(first, 1)
	if err != nil || o.GetState() != charged {
		t.Fatalf("%v %v", o.GetState(), err)
	}
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	s.restart()
	done := s.awaitState(o, complete)
	if done.GetRecoveredBy() != "rescue" {
		t.Errorf("recovered by %q", done.GetRecoveredBy())
	}
	s.wantHistory(o, ">CHARGED webhook system", "CHARGED>COMPLETE rescue system")
}

// A year that is paid late apologises for nothing: access went on meanwhile.
func TestALateRenewal(t *testing.T) {
	s := newScene(t)
	first := s.subscribed()
	told := s.renewal(first, 1)
	s.clock.Advance(3 * time.Hour) // the events were lost
	r, err := s.admin("reconciliation").AdoptCharge(t.Context(), told)
	if o := r.GetOrder(); err != nil || o.GetState() != recovered || o.GetRecoveredBy() != "reconciliation" {
		t.Fatalf("%v %v", o, err)
	}
	await(t, "the mail about it", func() bool {
		return slices.Contains(s.peers.notifications.sent(), "RENEWED order/"+r.GetOrder().GetId()+"/confirmation")
	})
}

func TestARenewalThatIsTakenBack(t *testing.T) {
	s := newScene(t)
	first := s.subscribed()
	o, err := s.renew(first, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.became(o, 0, paymentsv1.Payment_LOST); got.GetState() != complete {
		t.Errorf("after a lost dispute: %s", got.GetState())
	}
	s.wantTaken(1, 0)
	s.became(o, 0, paymentsv1.Payment_WON)
	s.wantTaken(1, 1)
	if got := s.became(o, 24900, paymentsv1.Payment_WON); got.GetState() != refunded {
		t.Errorf("after a refund: %s", got.GetState())
	}
	s.wantTaken(2, 1)
	if got := s.get(first); got.GetState() != complete {
		t.Errorf("the first order is %s", got.GetState())
	}
	// Told again, it revives nothing.
	if got, err := s.renew(first, 1); err != nil || got.GetState() != refunded {
		t.Errorf("told again: %v %v", got.GetState(), err)
	}
	// One that is heard of after it was refunded is never granted.
	late := s.renewal(first, 2)
	late.Payment.RefundedMinor = 24900
	if got, err := s.adopt(late); err != nil || got.GetState() != refunded || s.peers.provisioning.grantOf(got.GetId()) != nil {
		t.Errorf("refunded before it was heard of: %v %v", got.GetState(), err)
	}
}

// A subscription that was begun at Stripe by hand has no reference of a browser:
// Payments names the order.
func TestASubscriptionThatWasBegunByHand(t *testing.T) {
	s := newScene(t)
	id := uuid.NewSHA1(invoices, []byte("by hand"))
	paid := s.peers.payments.charge(id.String(), "ch", 19900, "USD", "")
	paid.Term = s.term(0)
	r := &ordersv1.AdoptChargeRequest{
		Reference: uuid.NewSHA1(id, []byte("reference")).String(), PlanId: "annual-subscription", Email: "Jane@example.com", Payment: paid,
	}
	o, err := s.adopt(r)
	if err != nil || o.GetId() != id.String() || o.GetKind() != ordersv1.Order_PURCHASE || o.GetState() != recovered || o.GetAmountMinor() != 19900 {
		t.Fatalf("%v %v", o, err)
	}
	if again, err := s.adopt(r); err != nil || again.GetId() != o.GetId() || s.count("SELECT count(*) FROM orders.orders") != 1 {
		t.Errorf("told again: %v %v", again, err)
	}
	if g := s.peers.provisioning.grantOf(o.GetId()); g.GetSubscriptionId() != "sub_1" || g.GetPeriodEnd() == nil {
		t.Errorf("granted %v", g)
	}
	if next, err := s.renew(o, 1); err != nil || next.GetState() != complete {
		t.Errorf("its renewal: %v %v", next, err)
	}
	// Without a term, the id must be the reference's, as ever.
	r.Payment = s.peers.payments.charge(uuid.NewString(), "ch", 19900, "USD", "")
	_, err = s.adopt(r)
	wantError(t, "no term", err, codes.InvalidArgument, "CANNOT_ADOPT")
}

func TestATermThatIsNoneIsNotKept(t *testing.T) {
	s := newScene(t)
	first := s.subscribed()
	r := s.renewal(first, 1)
	r.Payment.Term.PeriodEnd = timestamppb.New(r.GetPayment().GetTerm().GetPeriodStart().AsTime())
	_, err := s.adopt(r)
	wantInvalid(t, "a term that ends as it begins", err, "payment.term")
}

// A subscription's last invoice may be paid after its buyer was erased: its order is
// theirs, too, and nobody is written to about it.
func TestALateRenewalOfAnErasedBuyerIsErasedFromItsBeginning(t *testing.T) {
	s := newScene(t)
	first := s.subscribed()
	s.clock.Advance(365*24*time.Hour + time.Hour)
	told := s.renewal(first, 1)
	const pseudonym = "erased-0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11@erased.invalid"
	if _, err := s.owner.Exec(t.Context(), "UPDATE orders.orders SET email = $1, email_key = $1, name = '', erased_at = now(), version = version + 1", pseudonym); err != nil {
		t.Fatal(err)
	}
	o, err := s.adopt(told)
	if err != nil || o.GetState() != complete {
		t.Fatalf("%v %v", o, err)
	}
	if d := s.describe(o); d.GetErasedAt() == nil || d.GetEmail() != pseudonym {
		t.Errorf("described as %v", d)
	}
}
