package orders_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/apperr"
)

// The address on file is told by mail, once, and whoever asked is told nothing.
func TestARefusedRepeatIsToldToTheBuyerOfTheFirstOnce(t *testing.T) {
	s := newScene(t)
	first := s.mustPlace(purchase{}, complete)
	for range 3 {
		_, err := s.place(purchase{email: " JANE@example.com "})
		wantError(t, "the same again", err, codes.Aborted, "DUPLICATE_PURCHASE")
		if e := apperr.Of(err); e != nil && len(e.Metadata) != 0 {
			t.Errorf("the answer carries %v", e.Metadata)
		}
	}
	if got := s.told(first); !slices.Equal(got, []string{"CONFIRMATION", "REPEAT_REFUSED"}) {
		t.Errorf("told %v", got)
	}
	await(t, "it is handed over", func() bool {
		return slices.Contains(s.peers.notifications.sent(), "REPEAT_REFUSED order/"+first.GetId()+"/repeat-refused")
	})
	_, err := s.place(purchase{})
	wantError(t, "once more, after it was handed over", err, codes.Aborted, "DUPLICATE_PURCHASE")
	if got := s.told(first); len(got) != 2 {
		t.Errorf("told %v", got)
	}
	s.mustPlace(purchase{repeat: true}, complete)
	s.clock.Advance(11 * time.Minute)
	s.mustPlace(purchase{}, complete)
}

func TestARepeatIsRefusedWhileTheFirstsMoneyIsUnknownAndAnotherCardToo(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(declines("generic_decline", "No."))
	declined := s.mustPlace(purchase{}, failed)
	s.peers.payments.says(fails(away))
	unknown := s.mustPlace(purchase{}, pending)
	_, err := s.place(purchase{})
	wantError(t, "the same again", err, codes.Aborted, "DUPLICATE_PURCHASE")
	_, err = s.pay(declined, uuid.NewString(), "pm_card_visa")
	wantError(t, "another card on the first", err, codes.Aborted, "DUPLICATE_PURCHASE")
	if got := s.told(unknown); !slices.Equal(got, []string{"REPEAT_REFUSED"}) || len(s.told(declined)) != 0 {
		t.Errorf("told %v", got)
	}
	if got := s.get(declined); got.GetState() != failed {
		t.Errorf("the refused card made it %s", got.GetState())
	}
}

// Many tabs at once: one charge, one mail about the others.
func TestOfManyPurchasesAtOnceOneIsCharged(t *testing.T) {
	s := newScene(t)
	var all sync.WaitGroup
	var placed, refused atomic.Int64
	for range 8 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := s.placeAs(ctx, purchase{})
			switch e := apperr.Of(err); {
			case err == nil:
				placed.Add(1)
			case e != nil && e.Reason == "DUPLICATE_PURCHASE":
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if placed.Load() != 1 || refused.Load() != 7 {
		t.Errorf("%d placed, %d refused", placed.Load(), refused.Load())
	}
	if n := s.count("SELECT count(*) FROM orders.orders"); n != 1 || len(s.peers.payments.attempts()) != 1 {
		t.Errorf("%d orders, %d payments", n, len(s.peers.payments.attempts()))
	}
	if n := s.count("SELECT count(*) FROM orders.river_job WHERE args->>'message_kind' = 'REPEAT_REFUSED'"); n != 1 {
		t.Errorf("%d mails about the repeats", n)
	}
}

// The second of two is told as that; the first, or a part of the second, is not.
func TestARefundOfTheSecondOfTwoIsToldAsThat(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(says(paymentsv1.Payment_REQUIRES_ACTION))
	second := s.mustPlace(purchase{}, pending)
	s.peers.payments.set(func(f *fakePayments) { f.onPay = nil })
	first := s.mustPlace(purchase{}, complete)
	s.clock.Advance(time.Second)
	if _, err := s.news(second, s.arrived(second, "ch")); err != nil {
		t.Fatal(err)
	}
	s.became(second, 5000, 0)
	s.became(second, 24900, 0)
	if got := s.told(second); !slices.Equal(got, []string{"CONFIRMATION", "REFUND", "DUPLICATE_REFUNDED"}) {
		t.Errorf("of the second its buyer is told %v", got)
	}
	if !s.describe(second).GetSecondOfTwo() || s.describe(first).GetSecondOfTwo() {
		t.Error("which was the second is not said")
	}
	s.became(first, 24900, 0)
	if got := s.told(first); !slices.Equal(got, []string{"CONFIRMATION", "REFUND"}) {
		t.Errorf("of the first its buyer is told %v", got)
	}
	if s.describe(second).GetSecondOfTwo() {
		t.Error("the first does not stand any more")
	}
}

func TestASecondSubscriptionIsToldOnceADay(t *testing.T) {
	s := newScene(t)
	s.subscribed()
	for range 2 {
		s.clock.Advance(24 * time.Hour)
		for range 2 {
			_, err := s.place(subscribing(false))
			wantError(t, "again", err, codes.Aborted, "DUPLICATE_PURCHASE")
		}
	}
	if n := s.count("SELECT count(*) FROM orders.river_job WHERE args->>'message_kind' = 'REPEAT_REFUSED'"); n != 2 {
		t.Errorf("%d mails about the repeats of two days", n)
	}
}
