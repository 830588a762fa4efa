package e2e

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"makegood.example/deploy/internal/collector"
)

// way is one of the independent ways by which a paid order finds its access,
// with all the others switched off.
type way struct {
	name     string
	settings []string
	// webhooks: they are let through, once the crash is over.
	webhooks bool
	// recoveredBy is what the order must then say.
	recoveredBy string
	// spans are those with which traces begin in which this way goes on with a purchase.
	spans []string
}

var ways = []way{
	{name: "the looks alone", settings: killing, recoveredBy: "rescue", spans: []string{"orders: orders that are due", "payments: attempts that are due"}},
	{name: "the webhook alone", settings: []string{"RESCUE_AFTER=off", "RECONCILE_EVERY=off", "APOLOGY_AFTER=1s"}, webhooks: true, recoveredBy: "webhook", spans: []string{"gateway: POST /webhooks/stripe"}},
	{name: "the sweep alone", settings: []string{"RESCUE_AFTER=off", "RECONCILE_EVERY=1s", "STUCK_AFTER=1s", "APOLOGY_AFTER=1s"}, recoveredBy: "reconciliation", spans: []string{"reconciliation: charge to mend", "payments: webhook events"}},
}

// fromTheConfirmOn are the crashes after which the money has moved.
var fromTheConfirmOn = []killPoint{
	{name: "confirmed, orders does not know", at: stripe("hang_after", "POST", pathConfirm), kill: []string{"orders"}, answer: 503},
	{name: "confirmed, payments does not know", at: stripe("hang_after", "POST", pathConfirm), kill: []string{"payments"}, answer: 202},
	{name: "confirmed, nobody knows", at: stripe("hang_after", "POST", pathConfirm), kill: []string{"orders", "payments"}, answer: 503},
	{name: "payments knows, orders does not", at: write("UPDATE", "orders.orders", toCharged), kill: []string{"orders"}, answer: 503},
	{name: "orders knows, no access", at: write("INSERT", "provisioning.grants", ""), kill: []string{"orders"}, answer: 503},
	{name: "access, orders does not know", at: write("UPDATE", "orders.orders", toFulfilled), kill: []string{"orders"}, answer: 503},
}

func TestEachWayAloneIsEnough(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			received := collector.Start(t)
			s := open(t, slices.Concat(received.Settings, w.settings)...)
			for _, p := range fromTheConfirmOn {
				t.Run(p.name, func(t *testing.T) { w.play(t, s, p) })
			}
			t.Run("authenticated, and the browser never came back", func(t *testing.T) { w.playLostBrowser(t, s, received) })
		})
	}
}

func (w way) play(t *testing.T, s *shop, p killPoint) {
	s.settle(t)
	s.pauseWebhooks(t, true)
	b := s.buyer(p.name)
	hold := p.at(t, s)
	answered := b.startsToPay(t, card)
	hold.reached(t)
	s.down(t, p.kill...)
	hold.letGo(t, p.kill)
	p.judgeAnswer(t, b, <-answered)
	b.waitsForAnApology(t)
	s.up(t, p.kill...)
	if w.webhooks {
		// Everything runs again and nothing happened: the rest is the webhook's.
		if r := b.record(t); r.State != "PENDING" && r.State != "CHARGED" {
			t.Errorf("the order is %s before any webhook, by %q", r.State, r.RecoveredBy)
		}
		s.pauseWebhooks(t, false)
	}
	b.judgeFulfilled(t, outcome{recoveredBy: w.recoveredBy, late: true})
	if !w.webhooks {
		if n := s.count(t, "SELECT count(*) FROM payments.webhook_events e JOIN payments.payments p ON e.object_id IN (p.payment_intent_id, p.charge_id) JOIN orders.orders o ON o.id = p.order_id WHERE o.reference = $1 AND e.attempt_count > 0", b.reference); n != 0 {
			t.Errorf("%d webhooks came in, want none", n)
		}
		s.pauseWebhooks(t, false)
		s.awaitDeliveries(t)
		b.judgeFulfilled(t, outcome{recoveredBy: w.recoveredBy, late: true})
	}
}

// playLostBrowser: the buyer passes 3-D Secure, and their browser dies before it
// tells us. What we heard last is that they must act. What finds them links to the trace
// of the purchase.
func (w way) playLostBrowser(t *testing.T, s *shop, received *collector.Collector) {
	s.pauseWebhooks(t, true)
	b := s.buyer("lost browser")
	if status := b.authenticates(t, b.opens3DS(t)); status != http.StatusOK {
		t.Fatalf("authentication: %d", status)
	}
	if w.webhooks {
		s.pauseWebhooks(t, false)
	}
	b.awaitAccess(t)
	if r, _ := b.judgeEffects(t, outcome{}); r.RecoveredBy != w.recoveredBy {
		t.Errorf("recovered by %q, want %q", r.RecoveredBy, w.recoveredBy)
	}
	b.judgeLink(t, received, w.spans)
	s.pauseWebhooks(t, false)
	s.awaitDeliveries(t)
}

// TestStripeStillWorksWhenPaymentsIsKilled: Payments is killed while Stripe has the confirm in hand
// and no answer to give. What recovery finds is unpaid, and then it is paid.
func TestStripeStillWorksWhenPaymentsIsKilled(t *testing.T) {
	t.Parallel()
	s := open(t, killing...)
	s.pauseWebhooks(t, true)
	b := s.buyer("still working")
	hold := stripe("hang_during", http.MethodPost, pathConfirm)(t, s)
	answered := b.startsToPay(t, card)
	hold.reached(t)
	s.down(t, "payments")
	if got := <-answered; got.Status != http.StatusAccepted || got.State != "PENDING" {
		t.Errorf("the buyer got %d %s", got.Status, got.Body)
	}
	s.up(t, "payments")
	// The rescue confirms again under the same key: Stripe says that it is in use.
	await(t, "a second confirm", func() bool {
		var log struct {
			Requests []struct {
				Path   string `json:"path"`
				Status int    `json:"status"`
			} `json:"requests"`
		}
		s.sim(t, http.MethodGet, "/_sim/requests", nil, &log)
		for _, r := range log.Requests {
			if r.Status == http.StatusConflict {
				return true
			}
		}
		return false
	})
	if seen := b.looks(t); seen.State != "PENDING" || seen.NextAction.Type != "WAIT" {
		t.Errorf("while Stripe still works the buyer sees %s", seen.Body)
	}
	hold.letGo(t, nil)
	await(t, "the charge", func() bool { return len(b.atStripe(t).charges) == 1 })
	began := time.Now()
	b.judgeFulfilled(t, outcome{recoveredBy: "rescue"})
	t.Logf("recovered %s after Stripe was done", time.Since(began).Round(time.Millisecond))
}
