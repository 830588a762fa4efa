package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
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

var killPoints = []killPoint{
	{name: "before the order commits", at: write("INSERT", "orders.orders", ""),
		kill: []string{"orders"}, answer: 503, repeats: true},
	{name: "after the order commits", at: write("INSERT", "payments.attempts", ""),
		kill: []string{"orders"}, answer: 503, want: rescued},
}

// TestKilledAtAnyMoment kills the process that holds a step, and proves that
// the buyer ends with access and one honest mail. No webhook arrives and no
// sweep runs: the looks alone do it.
func TestKilledAtAnyMoment(t *testing.T) {
	s := open(t, killing...)
	s.pauseWebhooks(t, true)
	for _, p := range killPoints {
		t.Run(strings.ReplaceAll(p.name, " ", "-"), func(t *testing.T) { p.play(t, s) })
	}
}

func (p killPoint) play(t *testing.T, s *shop) {
	b := s.buyer(p.name)
	hold := p.at(t, s)
	answered := b.startsToPay(t, card)
	hold.reached(t)
	s.down(t, p.kill...)
	hold.letGo(t, p.kill)
	got := <-answered
	p.judgeAnswer(t, b, got)
	if p.charged {
		b.waitsForAnApology(t)
	}
	s.up(t, p.kill...)
	if p.repeats {
		if again := b.pays(t, card); again.Status != http.StatusOK || again.State != "COMPLETE" {
			t.Errorf("the repeated request got %d %s", again.Status, again.Body)
		}
	}
	b.judgeFulfilled(t, p.want)
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

func (s *shop) pauseWebhooks(t *testing.T, paused bool) {
	t.Helper()
	s.sim(t, http.MethodPost, "/_sim/webhooks", map[string]any{"paused": paused}, nil)
}
