package mail

import (
	"html"
	"strings"
	"testing"
	"time"

	"makegood.example/services/notifications/internal/message"
)

const payURL = "https://invoice.stripe.example/i/acct_1/in_2?s=ap&x=1"

func renewal(kind string, s message.Subscription) Facts {
	f := facts(kind)
	f.OfRenewal, f.Renews, f.Now = true, true, time.Date(2027, 11, 20, 12, 0, 0, 0, time.UTC)
	f.Subscription = &s
	return f
}

func TestWhatIsSaidOfASubscription(t *testing.T) {
	until := time.Date(2027, 11, 27, 23, 0, 0, 0, time.UTC)
	invoice := func(change func(*message.UnpaidInvoice)) *message.UnpaidInvoice {
		u := &message.UnpaidInvoice{InvoiceID: "in_2", AmountDisplay: "$249.00", HostedURL: payURL, NextAttemptAt: until.AddDate(0, 0, -4)}
		if change != nil {
			change(u)
		}
		return u
	}
	asks := invoice(func(u *message.UnpaidInvoice) { u.ActionRequired = true })
	pastDue := message.Subscription{Status: message.PastDue, Renews: true, AccessUntil: until, Unpaid: invoice(nil)}
	renewed := renewal("RENEWED", message.Subscription{Status: message.Active, Renews: true})
	renewed.OfRenewal = false
	lastTime := renewal("RENEWED", message.Subscription{Status: message.Active})
	unheard := renewed
	unheard.Subscription = nil
	confirmed := facts("CONFIRMATION")
	confirmed.Renews = true

	for name, c := range map[string]struct {
		facts    Facts
		subject  string
		has, not []string
	}{
		"renewed": {renewed, "Your Example App subscription is renewed, order A1B2C3D4",
			[]string{"Your payment of $249.00 for the next term went through", "Valid until", "21 November 2027 (UTC)", "To cancel it, answer this mail", "renews by itself after each term until it is canceled"},
			[]string{"sorry", "Log in", "does not renew"}},
		"renewed for the last time": {lastTime, "Your Example App subscription is renewed, order A1B2C3D4", []string{"does not renew again after this term"}, []string{"by itself"}},
		"renewed, no more known":    {unheard, "Your Example App subscription is renewed, order A1B2C3D4", []string{"renews by itself", "To cancel it, answer this mail."}, nil},
		"confirmed":                 {confirmed, "Your Example App order A1B2C3D4 is confirmed", []string{"renews by itself after each term until it is canceled"}, nil},
		"confirmed, of a one-off":   {facts("CONFIRMATION"), "", nil, []string{"renew"}},
		"failed": {renewal("PAYMENT_FAILED", pastDue), "The renewal of your Example App subscription could not be charged, order A1B2C3D4",
			[]string{"We could not collect $249.00 for the next term of your subscription. Nothing was charged for that term.", "you keep your access until 27 November 2027 (UTC)", "the next time is 23 November 2027 (UTC)", "Pay, with this or another card", payURL, "Next term, not charged"},
			[]string{"Nothing was charged for it", "order again", "Order again", "your order is not complete", "ended"}},
		"failed, given up": {renewal("PAYMENT_FAILED", message.Subscription{Status: message.Unpaid, AccessUntil: until.AddDate(0, 0, -20), Unpaid: invoice(func(u *message.UnpaidInvoice) { u.NextAttemptAt = time.Time{} })}), "",
			[]string{"Your access ended on 7 November 2027 (UTC). Once the term is paid, you have it again.", "does not try again by itself", payURL}, []string{"you keep", "the next time", "Access until"}},
		"failed, given up just now": {renewal("PAYMENT_FAILED", message.Subscription{Status: message.Unpaid, AccessUntil: until, Unpaid: invoice(nil)}), "",
			[]string{"Once it is paid, your subscription goes on."}, []string{"27 November", "Access until"}},
		"failed, the grace not known": {renewal("PAYMENT_FAILED", message.Subscription{Status: message.PastDue, AccessUntil: until.AddDate(0, 0, -20), Unpaid: invoice(nil)}), "",
			[]string{"Once it is paid, your subscription goes on."}, []string{"ended", "7 November", "Access until"}},
		"failed, nothing known of access or of a page": {renewal("PAYMENT_FAILED", message.Subscription{Status: message.PastDue, Unpaid: invoice(func(u *message.UnpaidInvoice) {
			u.HostedURL, u.NextAttemptAt = "javascript:alert(1)", until.AddDate(0, 0, -9)
		})}), "",
			[]string{"To pay it, answer this mail"}, []string{"javascript", "you keep", "Pay, with", "0001", "Access until", "tries again", "try again"}},
		"the bank asks": {renewal("ACTION_REQUIRED", message.Subscription{Status: message.PastDue, AccessUntil: until, Unpaid: asks}), "Please confirm the renewal of your Example App subscription, order A1B2C3D4",
			[]string{"Before it pays $249.00 for the next term", "asks you to confirm that it is you", "you keep your access until 27 November 2027 (UTC)", "Confirm the payment", payURL}, []string{"try again", "tries again", "rder again", "could not"}},
		"ending, canceled": {renewal("ACCESS_ENDING", message.Subscription{Status: message.Active, AccessUntil: until}), "Your access to Example App ends on 27 November 2027 (UTC), order A1B2C3D4",
			[]string{"ends on 27 November 2027 (UTC), because your subscription is not set to renew", "If you canceled it, there is nothing for you to do", "Order again", "https://app.example.com"}, []string{"collect", "data", "Next term"}},
		"ending, ended": {renewal("ACCESS_ENDING", message.Subscription{Status: message.Ended, AccessUntil: until, Unpaid: invoice(nil)}), "",
			[]string{"because your subscription has ended", "You will not be charged for it again", "Order again"}, []string{payURL, "Next term"}},
		"ending, paused": {renewal("ACCESS_ENDING", message.Subscription{Status: message.Paused, AccessUntil: until}), "",
			[]string{"because your subscription is paused", "To resume it, answer this mail"}, []string{"rder again"}},
		"ending, not paid": {renewal("ACCESS_ENDING", pastDue), "",
			[]string{"could not be collected", "Nothing was charged for that term. Once it is paid, your access goes on.", payURL, "$249.00"}, []string{"rder again", "canceled"}},
		"ending, not confirmed": {renewal("ACCESS_ENDING", message.Subscription{Status: message.PastDue, Renews: true, AccessUntil: until, Unpaid: asks}), "",
			[]string{"your bank still waits for you to confirm", "Confirm the payment", payURL}, []string{"rder again"}},
		"ending, not paid and no invoice": {renewal("ACCESS_ENDING", message.Subscription{Status: message.PastDue, AccessUntil: until}), "",
			[]string{"could not be collected", "answer this mail"}, []string{"rder again"}},
	} {
		r := render(t, c.facts)
		if c.subject != "" && r.Subject != c.subject {
			t.Errorf("%s: the subject is %q", name, r.Subject)
		}
		for part, body := range map[string]string{"html": html.UnescapeString(r.HTML), "txt": r.Text} {
			for _, want := range append(c.has, "Annual plan", "A1B2C3D4", "help@example.com", "Hello Jane Example,") {
				if !strings.Contains(body, want) {
					t.Errorf("%s.%s lacks %q:\n%s", name, part, want, body)
				}
			}
			for _, not := range append(c.not, "ZgotmplZ", "sorry") {
				if strings.Contains(body, not) {
					t.Errorf("%s.%s says %q:\n%s", name, part, not, body)
				}
			}
		}
	}
}

func TestOnlyAPageOfStripesIsLinked(t *testing.T) {
	for raw, want := range map[string]string{
		payURL:                             payURL,
		"http://127.0.0.1:12111/i/in_2":    "http://127.0.0.1:12111/i/in_2",
		"http://[::1]:12111/i/in_2":        "http://[::1]:12111/i/in_2",
		"http://localhost/i/in_2":          "http://localhost/i/in_2",
		"":                                 "",
		"http://invoice.stripe.example/i":  "",
		"http://127.0.0.1.evil.example/i":  "",
		"http://localhost@evil.example/i":  "",
		"https://stripe.example@evil.test": "",
		"javascript:alert(1)":              "",
		"//invoice.stripe.example/i":       "",
		"/i/in_2":                          "",
		"https://":                         "",
		"https:invoice.stripe.example":     "",
		"https://invoice.stripe.example/i?x=\u202egpj":       "",
		"https://invoice.stripe.example/i\r\nBcc: e@e.test":  "",
		"https://invoice.stripe.example/a b":                 "",
		`https://invoice.stripe.example/"><script>alert(1)/`: `https://invoice.stripe.example/%22%3E%3Cscript%3Ealert%281%29/`,
	} {
		if got := hostedPage(raw); got != want {
			t.Errorf("%q is linked as %q", raw, got)
		}
	}
}

// Whoever got a term back would not expect to be charged for the next.
func TestAWholeRefundSaysThatTheSubscriptionGoesOn(t *testing.T) {
	const said = "A refund does not cancel a subscription"
	for _, c := range []struct {
		ends bool
		sub  *message.Subscription
		want bool
	}{
		{true, &message.Subscription{Status: message.Active, Renews: true}, true},
		{true, &message.Subscription{Status: message.PastDue, Renews: true}, true},
		{true, &message.Subscription{Status: message.Active}, false},
		{true, &message.Subscription{Status: message.Ended, Renews: true}, false},
		{true, nil, false},
		{false, &message.Subscription{Status: message.Active, Renews: true}, false},
	} {
		f := facts("REFUND")
		f.AccessEnds, f.Subscription = c.ends, c.sub
		m, err := brand.Render(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m.Text, said) != c.want || strings.Contains(m.HTML, said) != c.want {
			t.Errorf("access ends %v, subscription %+v: %s", c.ends, c.sub, m.Text)
		}
	}
}

func TestARefundNamesItsReferences(t *testing.T) {
	f := facts("REFUND")
	f.Refunds = []message.Refunded{{Reference: "re_3NExample1", AmountDisplay: "$50.00"}}
	one := render(t, f)
	f.Refunds = append(f.Refunds, message.Refunded{Reference: "re_3NExample2", AmountDisplay: "$20.00"})
	two := render(t, f)
	f.Refunds = nil
	none := render(t, f)
	for part, bodies := range map[string][3]string{"html": {one.HTML, two.HTML, none.HTML}, "text": {one.Text, two.Text, none.Text}} {
		if !strings.Contains(bodies[0], "re_3NExample1") || strings.Contains(bodies[0], "re_3NExample1 (") || !strings.Contains(bodies[0], "Mention it when you ask us") {
			t.Errorf("%s of one:\n%s", part, bodies[0])
		}
		if !strings.Contains(bodies[1], "re_3NExample1 ($50.00)") || !strings.Contains(bodies[1], "re_3NExample2 ($20.00)") {
			t.Errorf("%s of two:\n%s", part, bodies[1])
		}
		if strings.Contains(bodies[2], "eference is") || strings.Contains(bodies[2], "Refund reference") {
			t.Errorf("%s of none:\n%s", part, bodies[2])
		}
	}
}
