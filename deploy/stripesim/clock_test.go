package stripesim_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

func (s *sim) advance(d time.Duration) {
	s.t.Helper()
	s.control("POST", "clock", map[string]string{"advance": d.String()}, nil)
}

func TestClockDatesWhatHappensAndOutlivesARestart(t *testing.T) {
	r := receive(t)
	cfg := stripesim.Config{JournalPath: filepath.Join(t.TempDir(), "journal"), Endpoints: []stripesim.Endpoint{{URL: r.URL, Secret: secret}}}
	s := start(t, cfg)
	first := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(keyed(intent(100, ""), "k")))
	s.advance(23 * time.Hour)
	again := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(keyed(intent(100, ""), "k")))
	if again.ID != first.ID {
		t.Error("the key did not live for 23 hours")
	}
	target := time.Now().Add(30 * 24 * time.Hour)
	var clock struct{ Unix int64 }
	s.control("POST", "clock", map[string]any{"now": target}, &clock)
	if clock.Unix != target.Unix() {
		t.Errorf("the clock shows %d, want %d", clock.Unix, target.Unix())
	}
	later := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(keyed(intent(100, ""), "k")))
	if later.ID == first.ID || later.Created < target.Unix() || later.Created > target.Unix()+60 {
		t.Errorf("created at %d, want about %d; same intent: %v", later.Created, target.Unix(), later.ID == first.ID)
	}
	// The receiver lives in the present and has checked the signature's time.
	await(t, "the webhooks", func() bool { return len(r.types()) == 2 })
	r.mu.Lock()
	if got := max(r.got[0].Created, r.got[1].Created); got != later.Created {
		t.Errorf("the event is dated %d, want %d", got, later.Created)
	}
	r.mu.Unlock()
	s.stop()

	again2 := start(t, cfg)
	cus := again2.newCustomer()
	if cus.Created < target.Unix() {
		t.Errorf("after the restart the clock shows %d", cus.Created)
	}
	var status int
	if status = again2.status("POST", "clock", map[string]any{"now": time.Now()}); status != 400 {
		t.Errorf("the clock went back: %d", status)
	}
	again2.control("POST", "reset", nil, nil)
	if cus := again2.newCustomer(); cus.Created > time.Now().Unix() {
		t.Error("a reset keeps the clock")
	}
}
