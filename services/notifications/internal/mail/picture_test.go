package mail

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/platform/browsertest"
)

// gallery is every mail that can be written, by the name of its picture.
func gallery() map[string]Facts {
	until := time.Date(2027, 11, 27, 23, 0, 0, 0, time.UTC)
	unpaid := &message.UnpaidInvoice{InvoiceID: "in_2", AmountDisplay: "$249.00", HostedURL: payURL, NextAttemptAt: until.AddDate(0, 0, -4)}
	asks := *unpaid
	asks.ActionRequired = true
	twice, refunded := facts("DUPLICATE_REFUNDED"), facts("REFUND")
	for _, f := range []*Facts{&twice, &refunded} {
		f.RefundedDisplay, f.AccessEnds = "$249.00", true
		f.Refunds = []message.Refunded{{Reference: "re_3NExample0000000000001", AmountDisplay: "$249.00"}}
	}
	renewed := renewal("RENEWED", message.Subscription{Status: message.Active, Renews: true})
	renewed.OfRenewal = false
	declined := facts("PAYMENT_FAILED")
	declined.Refused = true
	long := facts("CONFIRMATION")
	long.Name = `Wolfeschlegelsteinhausenbergerdorff "Wolfi" O'Example`
	long.PlanName = "Annual plan for teams with many people and quite a long name"
	long.SignInURL = "https://app.example.com/activate?token=" + strings.Repeat("0123456789abcdef", 6)
	emoji, rightToLeft, brackets := facts("RECOVERY"), facts("RECOVERY"), facts("CONFIRMATION")
	emoji.Name, rightToLeft.Name, brackets.Name = "Jane 👩‍🚀 Example", "ישראל ישראלי", `Jane <3 & "Joe"`
	rightToLeft.PlanName = "תוכנית שנתית"
	return map[string]Facts{
		"confirmation":            facts("CONFIRMATION"),
		"confirmation-long":       long,
		"confirmation-brackets":   brackets,
		"recovery":                facts("RECOVERY"),
		"recovery-emoji":          emoji,
		"recovery-right-to-left":  rightToLeft,
		"still-working":           waiting("STILL_WORKING"),
		"refund-offer":            waiting("REFUND_OFFER"),
		"repeat-refused":          waiting("REPEAT_REFUSED"),
		"payment-failed":          facts("PAYMENT_FAILED"),
		"payment-failed-declined": declined,
		"refund":                  refunded,
		"duplicate-refunded":      twice,
		"renewed":                 renewed,
		"renewal-failed":          renewal("PAYMENT_FAILED", message.Subscription{Status: message.PastDue, Renews: true, AccessUntil: until, Unpaid: unpaid}),
		"renewal-action-required": renewal("ACTION_REQUIRED", message.Subscription{Status: message.PastDue, AccessUntil: until, Unpaid: &asks}),
		"access-ending":           renewal("ACCESS_ENDING", message.Subscription{Status: message.Active, AccessUntil: until}),
	}
}

// Every mail is drawn by a real browser as a phone and a desktop show it, light and
// dark, and as plain text. Set MAKEGOOD_PICTURES to keep the pictures and look.
func TestEveryMailCanBeReadEverywhere(t *testing.T) {
	mails := map[string]Rendered{}
	var names []string
	for name, f := range gallery() {
		mails[name] = render(t, f)
		names = append(names, name)
	}
	sort.Strings(names)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		m, found := mails[strings.TrimPrefix(r.URL.Path, "/")]
		switch {
		case !found:
			w.WriteHeader(http.StatusNoContent)
		case r.URL.Query().Has("text"):
			_, _ = fmt.Fprintf(w, "<!doctype html><title>text</title><pre style='white-space:pre-wrap;font:15px/1.5 monospace;padding:16px;max-width:72ch'>Subject: %s\n\n%s</pre>", html.EscapeString(m.Subject), html.EscapeString(m.Text))
		default:
			_, _ = w.Write([]byte(m.HTML))
		}
	}))
	defer server.Close()

	b := browsertest.Start(t)
	for look, view := range map[string]browsertest.View{
		"phone": {Phone: true}, "desktop": {Width: 900, Height: 700}, "dark": {Phone: true, Dark: true}, "narrow": {Width: 320, Height: 568},
	} {
		page := b.Open(view)
		for _, name := range names {
			page.Go(server.URL + "/" + url.PathEscape(name))
			var wide, low []string
			page.Eval(`[...document.querySelectorAll("body *")].filter(e => !e.children.length && e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.textContent)`, &wide)
			page.Eval(lowContrast, &low)
			if len(wide) > 0 {
				t.Errorf("%s, %s: must be scrolled sideways: %v", name, look, wide)
			}
			if len(low) > 0 {
				t.Errorf("%s, %s: hard to read: %v", name, look, low)
			}
			if look != "narrow" {
				page.Picture("mails/" + name + "-" + look)
			}
		}
		if problems := page.Problems(); len(problems) > 0 {
			t.Errorf("%s: %v", look, problems)
		}
	}
	page := b.Open(browsertest.View{Width: 700, Height: 600})
	for _, name := range names {
		page.Go(server.URL + "/" + url.PathEscape(name) + "?text")
		page.Picture("mails/" + name + "-text")
	}
}

// lowContrast answers the texts whose contrast with what is behind them is below
// 4.5 to 1 (WCAG 2.2, 1.4.3).
const lowContrast = `(() => {
	const rgba = c => { const n = c.match(/[\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
	const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
	const behind = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; } return [255, 255, 255, 1]; };
	return [...document.querySelectorAll("body *")].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).flatMap(e => {
		const [a, b] = [light(rgba(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		return ratio < 4.5 ? [ratio.toFixed(2) + " " + e.textContent.trim().slice(0, 40)] : [];
	});
})()`
