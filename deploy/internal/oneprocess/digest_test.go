package oneprocess_test

import (
	"strings"
	"testing"
	"time"

	"makegood.example/deploy/internal/oneprocess"
)

// A real day: what the digest says in the morning is what Stripe charged, to the cent.
func TestTheMorningsDigestIsOfTheDayAsItWas(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{
		Begin:    time.Date(2026, 1, 1, 22, 0, 0, 0, time.UTC),
		Settings: map[string]string{"RECONCILE_EVERY": "30m", "ALERT_EMAILS": "ops@example.com"},
	})
	w.Buyer("jane").Buys("annual", "pm_card_visa")
	w.Buyer("joe").Buys("annual", "pm_card_visa")
	w.Settle()
	w.Stop("provisioning")
	late := w.Buyer("late")
	if status, o, said := late.Place("annual", map[string]any{"payment_method": "pm_card_visa"}); o.State != "CHARGED" {
		t.Fatalf("without Provisioning: %d %s", status, said)
	}
	w.Start("provisioning")
	w.Advance(time.Minute, nil)
	if now := late.Looks(); now.State != "RECOVERED" {
		t.Fatalf("the late order is %+v", now)
	}
	w.AdvanceTo(time.Date(2026, 1, 2, 6, 50, 0, 0, time.UTC), nil)
	if mails := w.Mails("ops@example.com"); len(mails) != 0 {
		t.Fatalf("before the morning: %v", mails)
	}
	w.AdvanceTo(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC), nil)
	mails := w.Mails("ops@example.com")
	if len(mails) != 1 || mails[0].Kind() != "digest" {
		t.Fatalf("the team's mails: %v", kinds(mails))
	}
	s := mails[0].Subject
	if !strings.Contains(s, "3 charges on Thursday, 1 January, all made good; 1 recovered, the slowest in 3") || !strings.HasSuffix(s, " s; nothing needs you") {
		t.Errorf("the digest says %q", s)
	}
	for _, text := range []string{"Stripe and what is recorded here agree to the cent.", "USD: 3 charged $747.00", "recovered by "} {
		if !strings.Contains(mails[0].Text, text) {
			t.Errorf("the digest does not say %q:\n%s", text, mails[0].Text)
		}
	}
}
