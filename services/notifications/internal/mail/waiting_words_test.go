package mail

import (
	"html"
	"strings"
	"testing"
	"time"
)

// waiting is somebody who paid at 14:02 and was promised access by 14:05.
func waiting(kind string) Facts {
	f := facts(kind)
	at := time.Date(2026, 11, 22, 14, 2, 11, 0, time.UTC)
	f.Now, f.ChargedAt, f.PromiseBy = at.Add(2*time.Minute), at, at.Add(3*time.Minute)
	f.StatusURL = "https://pay.example.com/payment-issue?ref=a1b2c3d4-0000-4000-8000-000000000001"
	if kind == "REFUND_OFFER" {
		f.Now, f.MissedBy, f.PromiseBy = at.Add(4*time.Minute), at.Add(3*time.Minute), at.Add(15*time.Minute)
		f.RefundURL, f.RefundUntil = f.StatusURL+"&refund=example", at.AddDate(0, 0, 14)
	}
	return f
}

func TestWhatIsSaidToSomebodyWhoWaits(t *testing.T) {
	noPromise, past, unpaid, missedUnknown := waiting("STILL_WORKING"), waiting("STILL_WORKING"), waiting("REPEAT_REFUSED"), waiting("REFUND_OFFER")
	noPromise.PromiseBy, past.PromiseBy = time.Time{}, past.Now
	unpaid.ChargedAt, missedUnknown.MissedBy = time.Time{}, time.Time{}
	subscribed := waiting("REPEAT_REFUSED")
	subscribed.Renews = true
	second, half := facts("DUPLICATE_REFUNDED"), facts("DUPLICATE_REFUNDED")
	second.RefundedDisplay, second.AccessEnds = "$249.00", true

	for name, c := range map[string]struct {
		facts    Facts
		has, not []string
	}{
		"still working": {waiting("STILL_WORKING"),
			[]string{"Your payment of $249.00 arrived and is applied to your order", "22 November 2026, 14:02 UTC", "will be ready by 22 November 2026, 14:06 UTC", "please do not pay again", "See how your order stands", "ref=a1b2c3d4"},
			[]string{"refund", "ready by now", "Log in", "within"}},
		"still working, nothing promised": {noPromise, []string{"as soon as your access is ready."}, []string{"will be ready", "January 0001"}},
		"still working, promise past":     {past, []string{"as soon as your access is ready."}, []string{"will be ready"}},
		"offer": {waiting("REFUND_OFFER"),
			[]string{"would be ready by 22 November 2026, 14:06 UTC. It was not.", "will be ready by 22 November 2026, 14:18 UTC", "refunds all of the $249.00", "until 6 December 2026 (UTC)", "Nothing is refunded before you confirm it", "&refund=example"},
			[]string{"January 0001", "ref=a1b2c3d4-0000-4000-8000-000000000001\n"}},
		"offer, without a time that was missed": {missedUnknown, []string{"should be ready by now, and it is not"}, []string{"We said", "January 0001"}},
		"repeat, paid":                          {waiting("REPEAT_REFUSED"), []string{"nothing was charged for it, because the first was paid on 22 November 2026, 14:02 UTC", "was told nothing about you"}, []string{"sorry", "checked"}},
		"repeat, not known to be paid":          {unpaid, []string{"because the first was still being checked"}, []string{"January 0001", "Payment received", "was paid"}},
		"repeat of a subscription":              {subscribed, []string{"While the subscription of your order A1B2C3D4 goes on, the same was ordered once more"}, []string{"Soon after"}},
		"second payment, refunded":              {second, []string{"You had paid twice for the same", "All of its $249.00 is on its way", "Your first payment stays, and so does the access that it paid for"}, []string{"The access to Example App that this order paid for ends"}},
		"second payment, half of it refunded":   {half, []string{"Of its $249.00, $50.00 is on its way"}, []string{"Your first payment stays", "ends"}},
	} {
		r := render(t, c.facts)
		if !strings.Contains(r.Subject, "A1B2C3D4") {
			t.Errorf("%s: the subject is %q", name, r.Subject)
		}
		for part, body := range map[string]string{"html": html.UnescapeString(r.HTML), "txt": r.Text} {
			for _, want := range append(c.has, "Annual plan", "$249.00", "A1B2C3D4", "help@example.com", "Hello Jane Example,") {
				if !strings.Contains(body, want) {
					t.Errorf("%s.%s lacks %q:\n%s", name, part, want, body)
				}
			}
			for _, not := range append(c.not, "ZgotmplZ", "safe", "went wrong", "!</") {
				if strings.Contains(body, not) {
					t.Errorf("%s.%s says %q:\n%s", name, part, not, body)
				}
			}
		}
	}
}
