package mail

import (
	"os"
	"strings"
	"testing"
	"time"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
)

var brand = Brand{AppName: "Example App", AppURL: "https://app.example.com", SupportEmail: "help@example.com", RefundDays: "5 to 10 business days"}

func facts(kind string) Facts {
	return Facts{
		Kind: kind, Name: "Jane Example", PlanName: "Annual plan", AmountDisplay: "$249.00", ReferenceShort: "A1B2C3D4",
		AccessUntil: time.Date(2027, 11, 22, 1, 30, 0, 0, time.FixedZone("", 2*3600)),
		SignInURL:   "https://app.example.com/activate?token=example", Activation: kind == "CONFIRMATION",
		LinkExpires: time.Date(2026, 11, 28, 9, 5, 0, 0, time.UTC), RefundedDisplay: "$50.00",
	}
}

func render(t *testing.T, f Facts) Rendered {
	t.Helper()
	r, err := brand.Render(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Where there was nothing to pay, no mail speaks of a payment.
func TestWhatCostsNothingWasNotPaid(t *testing.T) {
	for _, kind := range []string{"CONFIRMATION", "RECOVERY", "RENEWED"} {
		f := facts(kind)
		f.NothingDue, f.AmountDisplay = true, "$0.00"
		for part, body := range map[string]string{"html": render(t, f).HTML, "txt": render(t, f).Text} {
			if !strings.Contains(body, "nothing to pay for") || strings.Contains(strings.ToLower(body), "payment") || strings.Contains(body, "charged") {
				t.Errorf("%s.%s:\n%s", kind, part, body)
			}
		}
	}
}

func TestEveryKindHasItsFactsInBothParts(t *testing.T) {
	common := []string{"Annual plan", "$249.00", "A1B2C3D4", "help@example.com", "Example App", "Hello Jane Example,"}
	for kind, more := range map[string][]string{
		"CONFIRMATION":   {"21 November 2027 (UTC)", "Set up your account", "works once, until 28 November 2026, 09:05 UTC"},
		"RECOVERY":       {"21 November 2027 (UTC)", "Log in", "is applied to this order", "your access came later than it should have"},
		"PAYMENT_FAILED": {"Nothing was charged", "https://app.example.com"},
		"REFUND":         {"$50.00", "on its way back", "5 to 10 business days"},
	} {
		r := render(t, facts(kind))
		for part, body := range map[string]string{"html": r.HTML, "txt": r.Text} {
			for _, want := range append(more, common...) {
				if !strings.Contains(body, want) {
					t.Errorf("%s.%s lacks %q:\n%s", kind, part, want, body)
				}
			}
		}
		if !strings.Contains(r.Subject, "A1B2C3D4") || strings.Contains(r.HTML, "ZgotmplZ") || strings.Contains(r.HTML, "<script") {
			t.Errorf("%s: %q", kind, r.Subject)
		}
	}
	if _, err := brand.Render(Facts{Kind: "GREETING"}); err == nil {
		t.Error("a kind without words is rendered")
	}
}

func TestAnOrdinaryMailDoesNotApologise(t *testing.T) {
	for _, kind := range []string{"CONFIRMATION", "PAYMENT_FAILED"} {
		if r := render(t, facts(kind)); strings.Contains(r.Text, "sorry") || strings.Contains(r.HTML, "our side") {
			t.Errorf("%s apologises:\n%s", kind, r.Text)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"":                             "Hello,",
		"  Jane \r\n  Example ":        "Hello Jane Example,",
		`Jane "JJ" O'Example`:          `Hello Jane "JJ" O'Example,`,
		"Jane 👩‍🚀":                     "Hello Jane 👩‍🚀,",
		"ישראל ישראלי":                 "Hello ישראל ישראלי,",
		"abc\u202egpj.exe":             "Hello,", // after the override is gone it looks like a link
		"Jane\u202eExample\u2066":      "Hello JaneExample,",
		"J.R. Example Jr.":             "Hello J.R. Example Jr.,",
		"<b>Jane</b>":                  "Hello,",
		"Jane & Joe":                   "Hello Jane & Joe,",
		"You won, see prize.example":   "Hello,",
		"http://example.com":           "Hello,",
		"jane@example.com":             "Hello,",
		strings.Repeat("buy now ", 20): "Hello,",
		"\x00\x07":                     "Hello,",
	} {
		f := facts("CONFIRMATION")
		f.Name = name
		if got := brand.words(f).Greeting; got != want {
			t.Errorf("%q is greeted %q, want %q", name, got, want)
		}
		r := render(t, f)
		if !strings.Contains(r.Text, "\n"+want+"\n") {
			t.Errorf("%q: the text part lacks %q", name, want)
		}
	}
	f := facts("CONFIRMATION")
	f.Name, f.PlanName = `Jane <3 "x"`, `<img src=x onerror=alert(1)>`
	if r := render(t, f); strings.Contains(r.HTML, "<img") || strings.Contains(r.HTML, "<3") || !strings.Contains(r.HTML, "Jane &lt;3") {
		t.Errorf("not escaped:\n%s", r.HTML)
	}
}

// The notes of the writer say for each kind what it is for.
func TestEveryKindHasItsNotes(t *testing.T) {
	notes, err := os.ReadFile("../../../../docs/messages.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, number := range notificationsv1.Message_Kind_value {
		if number != 0 && !strings.Contains(string(notes), "| `"+name+"`") {
			t.Errorf("docs/messages.md says nothing of %s", name)
		}
	}
}
