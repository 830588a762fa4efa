package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// killPoint is a moment of a purchase at which processes are killed.
type killPoint struct {
	name string
	at   moment
	kill []string
	// answer is the status that the buyer's request gets; 503 and 202 are honest
	// ways of not knowing.
	answer int
	// charged: Stripe had confirmed by then, so the buyer is made to wait longer
	// than an apology takes, and must get it.
	charged bool
	// repeats: nothing is on record, so the browser repeats its key.
	repeats bool
	want    outcome
}

const (
	card          = "pm_card_visa"
	pathCustomers = "/v1/customers"
	pathIntents   = "/v1/payment_intents"
	pathConfirm   = "/v1/payment_intents/*/confirm"
	toCharged     = "NEW.state = 'CHARGED' AND OLD.state = 'PENDING'"
	toFulfilled   = "NEW.state IN ('COMPLETE', 'RECOVERED') AND OLD.state = 'CHARGED'"
)

var rescued = outcome{recoveredBy: "rescue"}
var apologised = outcome{recoveredBy: "rescue", late: true}

// killPoints are in the order of the purchase. Until the confirm is sent, an
// order is finished only if its buyer was here within CHARGE_WITHIN.
var killPoints = []killPoint{
	{name: "before the order commits", at: write("INSERT", "orders.orders", ""),
		kill: []string{"orders"}, answer: 503, repeats: true},
	{name: "after the order commits", at: write("INSERT", "payments.attempts", ""),
		kill: []string{"orders"}, answer: 503, want: rescued},
	{name: "after the order commits, payments too", at: write("INSERT", "payments.attempts", ""),
		kill: []string{"orders", "payments"}, answer: 503, want: rescued},
	{name: "after the attempt commits", at: stripe("hang_before", "POST", pathCustomers),
		kill: []string{"payments"}, answer: 202, want: rescued},
	{name: "after the customer is created", at: stripe("hang_after", "POST", pathCustomers),
		kill: []string{"payments"}, answer: 202, want: rescued},
	{name: "before the intent is created", at: stripe("hang_before", "POST", pathIntents),
		kill: []string{"payments"}, answer: 202, want: rescued},
	{name: "after the intent is created", at: stripe("hang_after", "POST", pathIntents),
		kill: []string{"payments"}, answer: 202, want: rescued},
	{name: "after the intent is created, orders too", at: stripe("hang_after", "POST", pathIntents),
		kill: []string{"orders", "payments"}, answer: 503, want: rescued},
	{name: "before the confirm arrives", at: stripe("hang_before", "POST", pathConfirm),
		kill: []string{"payments"}, answer: 202, want: rescued},
	{name: "after the confirm, payments", at: stripe("hang_after", "POST", pathConfirm),
		kill: []string{"payments"}, answer: 202, charged: true, want: apologised},
	{name: "after the confirm, orders", at: stripe("hang_after", "POST", pathConfirm),
		kill: []string{"orders"}, answer: 503, charged: true, want: apologised},
	{name: "after the confirm, both", at: stripe("hang_after", "POST", pathConfirm),
		kill: []string{"orders", "payments"}, answer: 503, charged: true, want: apologised},
	{name: "before payments records the success", at: write("UPDATE", "payments.payments", "NEW.status = 'SUCCEEDED' AND OLD.status <> 'SUCCEEDED'"),
		kill: []string{"payments"}, answer: 202, charged: true, want: apologised},
	{name: "after payments recorded the success", at: write("UPDATE", "orders.orders", toCharged),
		kill: []string{"orders"}, answer: 503, charged: true, want: apologised},
	{name: "after payments recorded the success, both", at: write("UPDATE", "orders.orders", toCharged),
		kill: []string{"orders", "payments"}, answer: 503, charged: true, want: apologised},
	{name: "after charged, orders", at: write("INSERT", "provisioning.grants", ""),
		kill: []string{"orders"}, answer: 503, charged: true, want: apologised},
	{name: "after charged, provisioning", at: write("INSERT", "provisioning.grants", ""),
		kill: []string{"provisioning"}, answer: 202, charged: true, want: apologised},
	{name: "after charged, both", at: write("INSERT", "provisioning.grants", ""),
		kill: []string{"orders", "provisioning"}, answer: 503, charged: true, want: apologised},
	{name: "after the grant", at: write("UPDATE", "orders.orders", toFulfilled),
		kill: []string{"orders"}, answer: 503, charged: true, want: apologised},
	{name: "after complete, orders", at: write("INSERT", "notifications.messages", ""),
		kill: []string{"orders"}, answer: 200},
	{name: "after complete, notifications", at: write("INSERT", "notifications.messages", ""),
		kill: []string{"notifications"}, answer: 200},
	{name: "after complete, both", at: write("INSERT", "notifications.messages", ""),
		kill: []string{"orders", "notifications"}, answer: 200},
	{name: "before the mail is sent", at: write("UPDATE", "notifications.messages", "NEW.state = 'SENDING'"),
		kill: []string{"notifications"}, answer: 200},
	{name: "after the mail was accepted, no answer", at: mailServer,
		kill: []string{"notifications"}, answer: 200, want: outcome{repeats: 1}},
	{name: "after the mail was accepted, not recorded", at: write("UPDATE", "notifications.messages", "NEW.state = 'SENT'"),
		kill: []string{"notifications"}, answer: 200, want: outcome{repeats: 1}},
}

// TestKilledAtAnyMoment kills the process that holds a step, and proves that
// the buyer ends with access and one honest mail. No webhook arrives and no
// sweep runs: the looks alone do it.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	s := open(t, killing...)
	s.pauseWebhooks(t, true)
	var buyers []*buyer
	for _, p := range killPoints {
		t.Run(p.name, func(t *testing.T) { buyers = append(buyers, p.play(t, s)) })
	}
	// Days later, every webhook arrives after all. It adds nothing.
	if t.Failed() {
		return
	}
	s.pauseWebhooks(t, false)
	s.awaitDeliveries(t)
	for i, b := range buyers {
		b.judgeFulfilled(t, killPoints[i].want)
	}
}

func (p killPoint) play(t *testing.T, s *shop) *buyer {
	s.settle(t)
	b := s.buyer(p.name)
	hold := p.at(t, s)
	answered := b.startsToPay(t, card)
	hold.reached(t)
	var got answer
	if p.answer == http.StatusOK {
		got = <-answered // the order is complete: the buyer knows before the crash
	}
	s.down(t, p.kill...)
	hold.letGo(t, p.kill)
	if p.answer != http.StatusOK {
		got = <-answered // nobody who could help is back yet
	}
	p.judgeAnswer(t, b, got)
	if p.charged {
		b.waitsForAnApology(t)
	}
	s.up(t, p.kill...)
	if p.repeats {
		if again := b.pays(t, card); !again.fulfilled() {
			t.Errorf("the repeated request got %d %s", again.Status, again.Body)
		}
	}
	b.judgeFulfilled(t, p.want)
	return b
}

// settle returns when a purchase goes through: a service that was killed is not
// only up again, the others are connected to it again too.
func (s *shop) settle(t *testing.T) {
	t.Helper()
	b := s.buyer("canary-" + uuid.NewString())
	await(t, "an undisturbed purchase", func() bool { return b.pays(t, card).Status == http.StatusOK })
	b.awaitAccess(t)
}

// judgeAnswer: the buyer was told nothing that may turn out untrue.
func (p killPoint) judgeAnswer(t *testing.T, b *buyer, got answer) {
	t.Helper()
	if got.Status != p.answer {
		t.Errorf("the buyer got %d, want %d: %s", got.Status, p.answer, got.Body)
	}
	for _, lie := range []string{"declined", "FAILED", "EXPIRED", "nothing was charged", "Nothing was charged", "payment_error\":{"} {
		if strings.Contains(got.Body, lie) {
			t.Errorf("the buyer was told %q: %s", lie, got.Body)
		}
	}
	switch got.Status {
	case http.StatusServiceUnavailable:
		if got.Metadata["reference"] != b.reference {
			t.Errorf("the 503 does not carry the reference: %s", got.Body)
		}
	case http.StatusAccepted:
		if got.NextAction.Type != "WAIT" || got.State != "PENDING" && got.State != "CHARGED" {
			t.Errorf("the 202 says %s, %s", got.State, got.NextAction.Type)
		}
	}
}

// waitsForAnApology returns when more time has passed since the charge than a
// buyer is kept waiting without an apology. Stripe counts whole seconds.
func (b *buyer) waitsForAnApology(t *testing.T) {
	t.Helper()
	charges := b.atStripe(t).charges
	if len(charges) != 1 {
		t.Fatalf("Stripe has charges %+v, want one by now", charges)
	}
	owed := time.Unix(charges[0].Created, 0).Add(time.Second + apologyAfter)
	await(t, "the time of an apology", func() bool { return time.Now().After(owed) })
}

// pauseWebhooks keeps events at Stripe, or lets them come.
func (s *shop) pauseWebhooks(t *testing.T, paused bool) {
	t.Helper()
	s.sim(t, http.MethodPost, "/_sim/webhooks", map[string]any{"paused": paused}, nil)
}

// awaitDeliveries returns when Stripe has an acknowledgement for every event.
func (s *shop) awaitDeliveries(t *testing.T) {
	t.Helper()
	await(t, "every webhook to be acknowledged", func() bool {
		var hooks struct {
			Deliveries []struct {
				State string `json:"state"`
			} `json:"deliveries"`
		}
		s.sim(t, http.MethodGet, "/_sim/webhooks", nil, &hooks)
		for _, d := range hooks.Deliveries {
			if d.State != "delivered" {
				return false
			}
		}
		return len(hooks.Deliveries) > 0
	})
}

// TestEverythingDiesAtOnce: the machine goes down with the money on its way,
// the database included.
func TestEverythingDiesAtOnce(t *testing.T) {
	t.Parallel()
	s := openDurable(t, killing...)
	s.pauseWebhooks(t, true)
	b := s.buyer("power cut")
	hold := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	gone := make(chan error, 1)
	go func() {
		_, err := s.call(http.MethodPost, "/v1/orders", b.key(), b.request(card))
		gone <- err
	}()
	hold.reached(t)
	ours := []string{"gateway", "reconciliation", "notifications", "provisioning", "payments", "orders", "postgres"}
	s.down(t, ours...)
	hold.letGo(t, []string{"payments"})
	if err := <-gone; err == nil {
		t.Error("the buyer got an answer from a machine that is down")
	}
	b.waitsForAnApology(t)
	s.up(t, ours...)
	s.DB().Reset()
	b.judgeFulfilled(t, apologised)
}
