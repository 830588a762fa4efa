package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const chargeWithin = 2 * time.Second

// TestTheBuyerWhoLeft: everything that could charge is down for longer than
// CHARGE_WITHIN. When it is back, the buyer is not charged, and is told so.
func TestTheBuyerWhoLeft(t *testing.T) {
	t.Parallel()
	s := open(t, append(slices.Clone(killing), "CHARGE_WITHIN="+chargeWithin.String())...)
	s.pauseWebhooks(t, true)
	for _, c := range []struct {
		name    string
		at      moment
		intents int // at Stripe, which must be canceled
	}{
		{"before the attempt", write("INSERT", "payments.attempts", ""), 0},
		{"before the intent is created", stripe("hang_before", http.MethodPost, pathIntents), 0},
		{"with an intent of unknown id", stripe("hang_after", http.MethodPost, pathIntents), 1},
		{"with an intent", stripe("hang_before", http.MethodPost, pathConfirm), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.buyer("left " + c.name)
			b.leaves(t, c.at)
			r := b.awaitRest(t, "EXPIRED")
			b.judgeNotCharged(t, r, c.intents)

			// The same key shows how it ended. A new purchase is a new order.
			if again := b.pays(t, card); again.Status != http.StatusOK || again.State != "EXPIRED" {
				t.Errorf("the same key got %d %s", again.Status, again.Body)
			}
			if n := len(b.atStripe(t).charges); n != 0 {
				t.Errorf("the repeated request charged %d times", n)
			}
		})
	}
	t.Run("but had paid", func(t *testing.T) {
		b := s.buyer("left but had paid")
		b.leaves(t, stripe("hang_after", http.MethodPost, pathConfirm))
		b.judgeFulfilled(t, outcome{recoveredBy: "rescue", late: true})
	})
	// Every webhook comes after all, and nobody is charged or written to again.
	mails := s.count(t, "SELECT count(*) FROM notifications.messages")
	s.pauseWebhooks(t, false)
	s.awaitDeliveries(t)
	if now := s.count(t, "SELECT count(*) FROM notifications.messages"); now != mails {
		t.Errorf("the webhooks made %d more mails", now-mails)
	}
}

// leaves pays, and is gone when Orders and Payments are back from a crash.
func (b *buyer) leaves(t *testing.T, at moment) {
	t.Helper()
	b.shop.settle(t)
	both := []string{"orders", "payments"}
	hold := at(t, b.shop)
	answered := b.startsToPay(t, card)
	hold.reached(t)
	b.shop.down(t, both...)
	hold.letGo(t, both)
	if got := <-answered; got.Status != http.StatusServiceUnavailable {
		t.Errorf("the buyer got %d %s", got.Status, got.Body)
	}
	gone := b.record(t).CreatedAt.Add(chargeWithin)
	await(t, "the buyer to be gone", func() bool { return time.Now().After(gone) })
	b.shop.up(t, both...)
}

// judgeNotCharged: nothing was charged, nothing can be charged, no access, and
// one mail that says so.
func (b *buyer) judgeNotCharged(t *testing.T, r *record, intents int) {
	t.Helper()
	lines := b.history(t)
	t.Logf("%s: %s\n    %s", b.email, r.State, strings.Join(lines, "\n    "))
	stripe := b.atStripe(t)
	if len(stripe.charges) != 0 {
		t.Errorf("Stripe has charges %+v of somebody who had left", stripe.charges)
	}
	if len(stripe.intents) != intents {
		t.Errorf("Stripe has intents %+v, want %d", stripe.intents, intents)
	}
	for _, in := range stripe.intents {
		if in.Status != "canceled" {
			t.Errorf("intent %s is %s, want canceled", in.ID, in.Status)
		}
	}
	if n := b.shop.count(t, "SELECT count(*) FROM provisioning.grants WHERE order_id = $1", r.ID); n != 0 {
		t.Errorf("%d grants without a payment", n)
	}
	b.judgeMails(t, r.ID, "payment_failed", 1)
	if text := strings.ToLower(b.mails(t)[0].Text); !strings.Contains(text, "nothing was charged") && !strings.Contains(text, "not charged") {
		t.Errorf("the mail does not say that nothing was charged:\n%s", text)
	}
	seen := b.looks(t)
	if seen.Status != http.StatusOK || seen.State != "EXPIRED" || seen.PaymentError == nil || seen.PaymentError.Code != "not_charged" || seen.NextAction.Type != "NONE" {
		t.Errorf("the buyer sees %d %s", seen.Status, seen.Body)
	}
}
