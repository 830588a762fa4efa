package orders_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// wordsOfADecline counts the mails about an order's decline that wait to be sent.
func (s *scene) wordsOfADecline(o *ordersv1.Order) int {
	s.t.Helper()
	return s.count("SELECT count(*) FROM orders.river_job WHERE state = 'scheduled' AND args->>'dedupe_key' = $1", "order/"+o.GetId()+"/not-charged")
}

// aMinuteLater lets the mails go that nobody has taken back.
func (s *scene) aMinuteLater() {
	s.t.Helper()
	s.exec("UPDATE orders.river_job SET state = 'available', scheduled_at = now() WHERE state = 'scheduled'")
}

func TestADeclineThatNobodyWasShownIsToldOnce(t *testing.T) {
	hangs := func(s *scene) *ordersv1.Order {
		// Their request goes on without them, and its answer has nobody to hear it.
		answers, heard := make(chan struct{}), make(chan struct{})
		s.peers.payments.set(func(f *fakePayments) { f.onPay = blocks(answers, declines("card_declined", "no")) })
		ctx, leave := context.WithCancel(s.t.Context())
		go func() {
			defer close(heard)
			_, _ = s.placeAs(ctx, purchase{})
		}()
		await(s.t, "the bank is asked", func() bool { pays, _, _ := s.peers.payments.asked(); return pays > 0 })
		leave()
		<-heard
		close(answers)
		return &ordersv1.Order{Id: s.peers.payments.pays[0].GetPurchase().GetOrderId(), Reference: s.peers.payments.pays[0].GetPurchase().GetReference()}
	}
	looks := func(s *scene) *ordersv1.Order {
		s.peers.payments.says(fails(away))
		o := s.mustPlace(purchase{}, pending) // they are told that we are checking, and leave
		s.peers.payments.says(declines("card_declined", "no"))
		s.clock.Advance(30 * time.Second)
		s.look(o)
		return o
	}
	webhook := func(s *scene) *ordersv1.Order {
		s.peers.payments.says(fails(away))
		o := s.mustPlace(purchase{}, pending)
		said, _ := declines("card_declined", "no")(s.t.Context(), &paymentsv1.Purchase{OrderId: o.GetId()}, "")
		if _, err := s.news(o, said); err != nil {
			s.t.Fatal(err)
		}
		return o
	}
	for name, decline := range map[string]func(*scene) *ordersv1.Order{"their request goes on": hangs, "a look": looks, "a webhook": webhook} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, looksOn, byHand)
			o := decline(s)
			await(t, "the decline", func() bool { return s.describe(o).GetOrder().GetState() == failed })
			await(t, "its mail", func() bool { return s.wordsOfADecline(o) == 1 })
			if sent := s.peers.notifications.sent(); len(sent) != 0 {
				t.Errorf("sent at once, while their page may be open: %v", sent)
			}
			s.describe(o) // by one of us, who is not its buyer
			s.aMinuteLater()
			await(t, "the mail", func() bool { return len(s.peers.notifications.sent()) > 0 })
			s.get(o)
			if sent, want := s.peers.notifications.sent(), []string{"PAYMENT_FAILED order/" + o.GetId() + "/not-charged"}; !slices.Equal(sent, want) {
				t.Errorf("sent %v, want %v", sent, want)
			}
			s.wantCases()
		})
	}
}

func TestWhoIsShownTheDeclineGetsNoMail(t *testing.T) {
	for name, shows := range map[string]func(*scene, *ordersv1.Order){
		"their page":                func(s *scene, o *ordersv1.Order) { s.get(o) },
		"their request, made again": func(s *scene, o *ordersv1.Order) { s.mustPlace(purchase{key: o.GetReference()}, failed) },
		"they try another card": func(s *scene, o *ordersv1.Order) {
			s.peers.payments.says(fails(away))
			_, _ = s.pay(o, uuid.NewString(), "pm_card_visa")
		},
		"back from the bank, they ask us": func(s *scene, o *ordersv1.Order) {
			if _, err := s.orders.ConfirmOrder(s.t.Context(), &ordersv1.ConfirmOrderRequest{Reference: o.GetReference()}); err != nil {
				s.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, looksOn, byHand)
			s.peers.payments.says(fails(away))
			o := s.mustPlace(purchase{}, pending)
			s.peers.payments.says(declines("card_declined", "no"))
			s.clock.Advance(30 * time.Second)
			s.look(o)
			if n := s.wordsOfADecline(o); n != 1 {
				t.Fatalf("%d mails wait", n)
			}
			shows(s, o)
			if n := s.wordsOfADecline(o); n != 0 {
				t.Errorf("%d mails wait for somebody who knows", n)
			}
		})
	}
	t.Run("the answer to their request", func(t *testing.T) {
		s := newScene(t)
		s.peers.payments.says(declines("card_declined", "no"))
		o := s.mustPlace(purchase{}, failed)
		if n := s.wordsOfADecline(o); n != 0 {
			t.Errorf("%d mails wait for somebody who knows", n)
		}
	})
}

func TestASecondDeclineThatNobodyWasShownIsToldToo(t *testing.T) {
	s := newScene(t, looksOn, byHand)
	s.peers.payments.says(fails(away))
	o := s.mustPlace(purchase{}, pending)
	for range 2 {
		s.peers.payments.says(declines("card_declined", "no"))
		s.clock.Advance(30 * time.Second)
		s.look(o)
		if n := s.wordsOfADecline(o); n != 1 {
			t.Fatalf("%d mails wait", n)
		}
		s.peers.payments.says(fails(away))
		if again, err := s.pay(o, uuid.NewString(), "pm_card_visa"); err != nil || again.GetState() != pending {
			t.Fatal(again, err)
		}
	}
}
