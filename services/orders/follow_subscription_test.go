package orders_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
)

// observed is how o's subscription stands now, as Payments tells it.
func (s *scene) observed(o *ordersv1.Order, status paymentsv1.Subscription_Status, unpaid *paymentsv1.UnpaidInvoice) *paymentsv1.Subscription {
	s.clock.Advance(time.Millisecond) // one is never observed twice at one moment
	return &paymentsv1.Subscription{
		SubscriptionId: "sub_1", OrderId: o.GetId(), Status: status, Renews: status == paymentsv1.Subscription_ACTIVE || status == paymentsv1.Subscription_PAST_DUE,
		CurrentPeriodEnd: o.GetAccessUntil(), Unpaid: unpaid, ObservedAt: timestamppb.New(s.clock.Now()),
	}
}

func (s *scene) tell(sub *paymentsv1.Subscription) (*ordersv1.FollowSubscriptionResponse, error) {
	return s.admin("payments").FollowSubscription(s.t.Context(), &ordersv1.FollowSubscriptionRequest{Subscription: sub})
}

func (s *scene) follow(o *ordersv1.Order, status paymentsv1.Subscription_Status, unpaid *paymentsv1.UnpaidInvoice) {
	s.t.Helper()
	if _, err := s.tell(s.observed(o, status, unpaid)); err != nil {
		s.t.Fatalf("%s: %v", status, err)
	}
}

func (s *scene) accessUntil(t time.Time) {
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.until = t })
}

// notices are the messages about subscriptions, without those about orders. They
// are all handed over when the queue is empty.
func (s *scene) notices() []string {
	s.t.Helper()
	await(s.t, "the queue is empty", func() bool {
		return s.count("SELECT count(*) FROM orders.river_job WHERE state <> 'completed'") == 0
	})
	out := []string{}
	for _, m := range s.peers.notifications.sent() {
		if strings.Contains(m, " subscription/") {
			out = append(out, m)
		}
	}
	return out
}

func (s *scene) wantNotices(want ...string) {
	s.t.Helper()
	got := s.notices()
	slices.Sort(got) // two at once come in any order
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.t.Errorf("told %q, want %q", got, want)
	}
}

func unpaid(invoice string, action bool) *paymentsv1.UnpaidInvoice {
	return &paymentsv1.UnpaidInvoice{InvoiceId: invoice, AmountMinor: 24900, Currency: "USD", HostedUrl: "https://invoice.stripe.com/i/" + invoice, ActionRequired: action}
}

func TestASubscriptionIsFollowed(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	until := o.GetAccessUntil().AsTime().Add(7 * 24 * time.Hour)
	s.accessUntil(until)
	sub := s.observed(o, paymentsv1.Subscription_ACTIVE, nil)
	r, err := s.tell(sub)
	if err != nil || !r.GetAccessUntil().AsTime().Equal(until) {
		t.Fatalf("%v %v", r, err)
	}
	f := s.peers.provisioning.followed()
	if f.GetSubscriptionId() != "sub_1" || f.GetOrderId() != o.GetId() || f.GetStatus() != provisioningv1.FollowSubscriptionRequest_ACTIVE || !f.GetRenews() ||
		!f.GetObservedAt().AsTime().Equal(sub.GetObservedAt().AsTime()) {
		t.Errorf("Provisioning was told %v", f)
	}
	renewed, err := s.renew(o, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []*ordersv1.Order{o, renewed} {
		d := s.describe(one)
		if !proto.Equal(d.GetSubscription(), sub) || !d.GetSubscriptionAccessUntil().AsTime().Equal(until) || d.GetUnpaidDisplay() != "" || !d.GetRenews() {
			t.Errorf("described as %v", d)
		}
	}
	sub = s.observed(o, paymentsv1.Subscription_PAST_DUE, unpaid("in_2", false))
	if _, err := s.tell(sub); err != nil {
		t.Fatal(err)
	}
	if d := s.describe(renewed); !proto.Equal(d.GetSubscription(), sub) || d.GetUnpaidDisplay() != "$249.00" {
		t.Errorf("described as %v", d)
	}
	s.follow(o, paymentsv1.Subscription_ACTIVE, nil) // paid: nothing is left of it
	if d := s.describe(o); d.GetSubscription().GetUnpaid() != nil || d.GetUnpaidDisplay() != "" {
		t.Errorf("described as %v", d)
	}
	one := s.mustPlace(purchase{email: "joe@example.com", client: true}, pending)
	if d := s.describe(one); d.GetSubscription() != nil || d.GetRenews() {
		t.Errorf("a one-off is described as %v", d)
	}
}

func TestHowASubscriptionStandsForAccess(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	for status, want := range map[paymentsv1.Subscription_Status]provisioningv1.FollowSubscriptionRequest_Status{
		paymentsv1.Subscription_ACTIVE: provisioningv1.FollowSubscriptionRequest_ACTIVE, paymentsv1.Subscription_PAST_DUE: provisioningv1.FollowSubscriptionRequest_PAST_DUE,
		paymentsv1.Subscription_PAUSED: provisioningv1.FollowSubscriptionRequest_PAUSED, paymentsv1.Subscription_UNPAID: provisioningv1.FollowSubscriptionRequest_ENDED,
		paymentsv1.Subscription_ENDED: provisioningv1.FollowSubscriptionRequest_ENDED,
	} {
		s.follow(o, status, nil)
		if got := s.peers.provisioning.followed().GetStatus(); got != want {
			t.Errorf("%s: Provisioning was told %s", status, got)
		}
		gives := status == paymentsv1.Subscription_ACTIVE || status == paymentsv1.Subscription_PAST_DUE
		if until := s.get(o).GetAccessUntil().AsTime(); until.After(s.clock.Now()) != gives {
			t.Errorf("%s: the buyer is told of access until %s", status, until)
		}
	}
}

func TestWhatIsHeardOutOfOrderChangesNothing(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	active := s.observed(o, paymentsv1.Subscription_ACTIVE, nil)
	failing := s.observed(o, paymentsv1.Subscription_PAST_DUE, unpaid("in_2", false))
	ended := s.observed(o, paymentsv1.Subscription_ENDED, nil)
	var all sync.WaitGroup
	for _, sub := range []*paymentsv1.Subscription{ended, failing, active, ended, active, failing} {
		all.Go(func() {
			if _, err := s.tell(sub); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, late := range []*paymentsv1.Subscription{failing, active} {
		if _, err := s.tell(late); err != nil {
			t.Fatal(err)
		}
		if f := s.peers.provisioning.followed(); f.GetStatus() != provisioningv1.FollowSubscriptionRequest_ENDED {
			t.Errorf("Provisioning was told %v", f)
		}
	}
	if d := s.describe(o); !proto.Equal(d.GetSubscription(), ended) {
		t.Errorf("described as %v", d.GetSubscription())
	}
	// Heard at one moment, what comes later in its life is the newer fact.
	again := proto.CloneOf(active)
	again.ObservedAt = ended.GetObservedAt()
	if _, err := s.tell(again); err != nil {
		t.Fatal(err)
	}
	if d := s.describe(o); !proto.Equal(d.GetSubscription(), ended) {
		t.Errorf("described as %v", d.GetSubscription())
	}
}

// Provisioning must hear which terms an end leaves alone, also from whoever
// finishes what a crash left undone, and from who tells it late.
func TestWhatWasPaidAfterTheEndIsToldWithIt(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	late := s.observed(o, paymentsv1.Subscription_ENDED, nil)
	ended := s.observed(o, paymentsv1.Subscription_ENDED, nil)
	for _, sub := range []*paymentsv1.Subscription{ended, ended, late} {
		sub.PaidSinceOrderIds = []string{o.GetId()}
		if _, err := s.tell(sub); err != nil {
			t.Fatal(err)
		}
		if f := s.peers.provisioning.followed(); !slices.Equal(f.GetPaidSinceOrderIds(), sub.GetPaidSinceOrderIds()) {
			t.Errorf("Provisioning was told %v", f)
		}
	}
}

// What Provisioning lost it hears again, with the terms that the end left alone.
func TestAnEndIsToldAgainWithWhatWasPaidAfterIt(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	ended := s.observed(o, paymentsv1.Subscription_ENDED, nil)
	if _, err := s.tell(ended); err != nil {
		t.Fatal(err)
	}
	if s.peers.provisioning.followed().GetAgain() {
		t.Error("news is told as a repetition")
	}
	late := uuid.NewString()
	known := proto.CloneOf(ended)
	known.ObservedAt = timestamppb.New(ended.GetObservedAt().AsTime().Add(-time.Second))
	known.PaidSinceOrderIds = []string{late}
	if _, err := s.tell(known); err != nil { // by whoever was late
		t.Fatal(err)
	}
	rebuilt := func(again bool, want ...string) {
		t.Helper()
		s.peers.provisioning.set(func(f *fakeProvisioning) { f.lost = true; f.grants = nil })
		if _, err := s.advance(o, "reconciliation", byReconciliation); err != nil {
			t.Fatal(err)
		}
		f := s.peers.provisioning.followed()
		if f.GetStatus() != provisioningv1.FollowSubscriptionRequest_ENDED || f.GetAgain() != again || !slices.Equal(f.GetPaidSinceOrderIds(), want) {
			t.Errorf("Provisioning was told %v", f)
		}
	}
	rebuilt(true, late)
	s.exec("UPDATE orders.subscriptions SET paid_since = NULL") // by a binary that kept none
	rebuilt(false)
}

func TestEachNoticeIsToldOnce(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	end := o.GetAccessUntil().AsTime()
	s.accessUntil(end)
	const in2, in3 = "subscription/sub_1/invoice/in_2/", "subscription/sub_1/invoice/in_3/"
	want := []string{}
	wants := func(more ...string) {
		t.Helper()
		want = append(want, more...)
		s.wantNotices(want...)
	}
	s.follow(o, paymentsv1.Subscription_ACTIVE, nil)
	wants()

	sub := s.observed(o, paymentsv1.Subscription_PAST_DUE, unpaid("in_2", true))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := s.tell(sub); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	wants("ACTION_REQUIRED " + in2 + "action-required")
	for range 3 {
		s.follow(o, paymentsv1.Subscription_PAST_DUE, unpaid("in_2", false)) // the bank was asked, and said no
	}
	wants("PAYMENT_FAILED " + in2 + "payment-failed")
	s.follow(o, paymentsv1.Subscription_UNPAID, unpaid("in_2", true))
	wants()
	s.follow(o, paymentsv1.Subscription_PAST_DUE, unpaid("in_3", false)) // the year after
	wants("PAYMENT_FAILED " + in3 + "payment-failed")
	s.follow(o, paymentsv1.Subscription_ENDED, unpaid("in_4", false)) // what is over is not collected
	wants()
	s.peers.notifications.set(func(f *fakeNotifications) {
		for _, m := range f.messages {
			if m.GetOrderId() != o.GetId() {
				t.Errorf("%s is about order %s", m.GetDedupeKey(), m.GetOrderId())
			}
		}
	})
}

func TestAccessThatEndsIsAnnouncedOnce(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	end := o.GetAccessUntil().AsTime()
	s.accessUntil(end)
	ending := func() {
		t.Helper()
		sub := s.observed(o, paymentsv1.Subscription_ACTIVE, nil)
		sub.Renews = false
		if _, err := s.tell(sub); err != nil {
			t.Fatal(err)
		}
	}
	ending()
	s.wantNotices() // a year away
	s.clock.Advance(end.Sub(s.clock.Now()) - 7*24*time.Hour - time.Hour)
	ending()
	s.wantNotices() // just not within a week
	s.follow(o, paymentsv1.Subscription_ACTIVE, nil)
	s.clock.Advance(2 * time.Hour)
	s.follow(o, paymentsv1.Subscription_ACTIVE, nil)
	s.wantNotices() // it goes on by itself
	ending()
	s.clock.Advance(24 * time.Hour)
	ending()
	told := "ACCESS_ENDING subscription/sub_1/access-ending/"
	s.wantNotices(told + end.Format("2006-01-02"))
	// Resumed, and past due a month later: another date, another notice.
	later := end.AddDate(0, 0, 7)
	s.accessUntil(later)
	s.clock.Advance(end.Sub(s.clock.Now()) + time.Hour)
	s.follow(o, paymentsv1.Subscription_PAST_DUE, nil)
	s.wantNotices(told + end.Format("2006-01-02")) // the failure itself was just told
	s.clock.Advance(4 * 24 * time.Hour)
	s.follow(o, paymentsv1.Subscription_PAST_DUE, nil)
	s.follow(o, paymentsv1.Subscription_PAST_DUE, nil)
	s.wantNotices(told+end.Format("2006-01-02"), told+later.Format("2006-01-02"))
	// Over is over.
	s.clock.Advance(8 * 24 * time.Hour)
	s.follow(o, paymentsv1.Subscription_PAST_DUE, nil)
	s.accessUntil(time.Time{})
	s.follow(o, paymentsv1.Subscription_ENDED, nil)
	if len(s.notices()) != 2 {
		t.Errorf("told %q", s.notices())
	}
	if d := s.describe(o); d.GetSubscriptionAccessUntil() != nil {
		t.Errorf("access until %s", d.GetSubscriptionAccessUntil().AsTime())
	}
}

// A peer that is away, or a kill, between the record and Provisioning: whoever
// tells it again finishes it, and nothing is told twice.
func TestFollowingGoesOnWhereItWasLeft(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	end := s.clock.Now().Add(3 * 24 * time.Hour)
	s.accessUntil(end)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.followErr = away })
	sub := s.observed(o, paymentsv1.Subscription_PAST_DUE, unpaid("in_2", false))
	if _, err := s.tell(sub); err == nil {
		t.Fatal("acknowledged, although Provisioning does not know")
	}
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.followErr = nil })
	s.restart()
	for range 2 {
		if r, err := s.tell(sub); err != nil || !r.GetAccessUntil().AsTime().Equal(end) {
			t.Fatalf("%v %v", r, err)
		}
	}
	s.wantNotices("PAYMENT_FAILED subscription/sub_1/invoice/in_2/payment-failed", "ACCESS_ENDING subscription/sub_1/access-ending/"+end.Format("2006-01-02"))
}

func TestASubscriptionWhoseFirstOrderHasNoAccessYet(t *testing.T) {
	s := newScene(t)
	s.peers.payments.set(func(f *fakePayments) { f.onPay = opens() })
	o := s.mustPlace(subscribing(false), pending)
	_, err := s.tell(s.observed(o, paymentsv1.Subscription_ACTIVE, nil))
	wantError(t, "not paid yet", err, codes.Unavailable, "SUBSCRIPTION_NOT_STARTED")
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	paid := s.arrived(o, "ch")
	paid.Term = s.term(0)
	if got, err := s.news(o, paid); err != nil || got.GetState() != charged {
		t.Fatalf("%v %v", got.GetState(), err)
	}
	_, err = s.tell(s.observed(o, paymentsv1.Subscription_ACTIVE, nil))
	wantError(t, "not granted yet", err, codes.Unavailable, "SUBSCRIPTION_NOT_STARTED")
	if s.peers.provisioning.followed() != nil || s.count("SELECT count(*) FROM orders.subscriptions") != 0 {
		t.Error("it was followed")
	}
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	if _, err := s.news(o, paid); err != nil {
		t.Fatal(err)
	}
	s.follow(o, paymentsv1.Subscription_ACTIVE, nil)

	unknown := s.observed(o, paymentsv1.Subscription_ACTIVE, nil)
	unknown.OrderId = "0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11"
	_, err = s.tell(unknown)
	wantError(t, "an order that is not known", err, codes.NotFound, "ORDER_NOT_FOUND")
	renewed, err := s.renew(o, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.tell(s.observed(renewed, paymentsv1.Subscription_ACTIVE, nil))
	wantError(t, "a renewal began nothing", err, codes.NotFound, "ORDER_NOT_FOUND")

	// Refunded, it is followed all the same: its renewals may have access.
	s.became(o, 24900, 0)
	s.follow(o, paymentsv1.Subscription_PAST_DUE, unpaid("in_2", false))
	if f := s.peers.provisioning.followed(); f.GetStatus() != provisioningv1.FollowSubscriptionRequest_PAST_DUE {
		t.Errorf("Provisioning was told %v", f)
	}
}

func TestASubscriptionThatWasOverBeforeItWasPaid(t *testing.T) {
	s := newScene(t)
	s.peers.payments.set(func(f *fakePayments) { f.onPay = opens() })
	o := s.mustPlace(subscribing(false), pending)
	if _, err := s.news(o, &paymentsv1.Payment{OrderId: o.GetId(), Status: paymentsv1.Payment_CANCELED}); err != nil {
		t.Fatal(err)
	}
	s.peers.payments.set(func(f *fakePayments) {
		f.onLook = func(context.Context, *paymentsv1.Purchase, string) (*paymentsv1.Payment, error) {
			return &paymentsv1.Payment{OrderId: o.GetId(), Status: paymentsv1.Payment_CANCELED}, nil
		}
	})
	s.awaitState(o, expired)
	if r, err := s.tell(s.observed(o, paymentsv1.Subscription_ENDED, nil)); err != nil || r.GetAccessUntil() != nil {
		t.Errorf("%v %v", r, err)
	}
	if s.peers.provisioning.followed() != nil {
		t.Error("Provisioning was told")
	}
}
