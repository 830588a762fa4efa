package orders_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// The term that runs was refunded, and its subscription goes on: a person decides,
// the access is known to be over at once, and no second subscription is sold.
func TestATermThatWasRefundedWhileItsSubscriptionRenews(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	s.accessUntil(s.clock.Now().AddDate(1, 0, 0))
	s.follow(o, paymentsv1.Subscription_ACTIVE, nil)
	s.clock.Advance(24 * time.Hour)
	s.accessUntil(time.Time{})
	news := s.arrived(o, "ch")
	news.RefundedMinor = 24900
	s.peers.payments.set(func(f *fakePayments) {
		f.onLook = func(context.Context, *paymentsv1.Purchase, string) (*paymentsv1.Payment, error) { return news, nil }
	})
	if got, err := s.news(o, news); err != nil || got.GetState() != refunded {
		t.Fatalf("%v %v", got.GetState(), err)
	}
	s.wantTaken(1, 0)
	s.wantCases("SUBSCRIPTION order/" + o.GetId())
	if d := s.describe(o); d.GetSubscriptionAccessUntil() != nil || d.GetNextLookAt() != nil {
		t.Errorf("described as %v", d)
	}
	s.peers.payments.set(func(f *fakePayments) { f.onLook = nil })
	_, err := s.place(subscribing(false))
	wantError(t, "another one", err, codes.Aborted, "DUPLICATE_PURCHASE")
	s.follow(o, paymentsv1.Subscription_ENDED, nil)
	s.mustPlace(subscribing(false), pending)
	s.wantCases("SUBSCRIPTION order/" + o.GetId())
}

// The refund came before anything was heard of the subscription: who hears of it later
// does not ask again, so that a person decides at once.
func TestATermThatWasRefundedBeforeItsSubscriptionWasFollowed(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	s.became(o, 24900, 0)
	s.wantCases("SUBSCRIPTION order/" + o.GetId())
	s.follow(o, paymentsv1.Subscription_ACTIVE, nil)
	if d := s.describe(o); !d.GetRenews() || d.GetNextLookAt() != nil {
		t.Errorf("described as %v", d)
	}
	s.wantCases("SUBSCRIPTION order/" + o.GetId())
}

// A paused subscription is resumed, and not bought a second time.
func TestAPausedSubscriptionIsResumed(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	s.follow(o, paymentsv1.Subscription_PAUSED, nil)
	s.clock.Advance(400 * 24 * time.Hour)
	_, err := s.place(subscribing(false))
	wantError(t, "past its access", err, codes.Aborted, "DUPLICATE_PURCHASE")
}
