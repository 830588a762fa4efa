package e2e

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"makegood.example/services/platform/browsertest"
)

// TestAPersonMendsItFromTheirPhone is the headline case with everything off that
// would mend it: Orders is killed between Stripe's confirmation and our record, and
// no look, webhook or sweep comes. Somebody on support signs in at the console, looks
// the address up and recovers, with a phone at night.
func TestAPersonMendsItFromTheirPhone(t *testing.T) {
	t.Parallel()
	s := open(t, "RESCUE_AFTER=off", "RECONCILE_EVERY=off", "APOLOGY_AFTER=1s")
	s.pauseWebhooks(t, true)
	b := s.buyer("stranded")
	hold := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	answered := b.startsToPay(t, card)
	hold.reached(t)
	s.down(t, "orders")
	hold.letGo(t, []string{"orders"})
	<-answered
	b.waitsForAnApology(t)
	s.up(t, "orders")
	if r := b.record(t); r.State != "PENDING" || len(b.atStripe(t).charges) != 1 {
		t.Fatalf("not the headline case: the order is %s, with %d charges", r.State, len(b.atStripe(t).charges))
	}

	token, err := s.Token("admin")
	if err != nil {
		t.Fatal(err)
	}
	p := browsertest.Start(t).Open(browsertest.View{Phone: true, Dark: true, NoScripts: os.Getenv("MAKEGOOD_PICTURES") == ""})
	p.Go(s.AdminURL() + "/tickets/new")
	p.Type("input[name=token]", token)
	p.Click("main button[type=submit]")
	p.AwaitText("h1", "New ticket")
	p.Type("input[name=email]", b.email)
	p.Type("input[name=subject]", "I paid and have nothing")
	p.Click("main button[type=submit]")
	p.AwaitText(".told", "The ticket is open.")
	p.Picture("desk/e2e/0-ticket")
	p.Go(s.AdminURL() + "/lookup")
	p.Type("input[name=q]", b.email)
	p.Click(".search button[type=submit]")
	p.AwaitText(".diagnosis h2", "Stuck order")
	p.AwaitText("main", "I paid and have nothing")
	p.Picture("desk/e2e/1-diagnosis")
	p.Click(".diagnosis .button.primary")
	p.AwaitText("h2", "What would happen")
	p.Picture("desk/e2e/2-preview")
	if r := b.record(t); r.State != "PENDING" {
		t.Fatalf("looking made the order %s", r.State)
	}
	p.Type("input[name=reason]", "they wrote that they paid and have nothing")
	p.Click(".confirm button[type=submit]")
	p.AwaitText("h2", "Recovered: access is in force")
	p.Picture("desk/e2e/3-recovered")
	if r, lines := b.judgeEffects(t, outcome{late: true}); r.RecoveredBy != "support:developer" || !strings.Contains(lines[len(lines)-1], "(support, support:developer)") {
		t.Errorf("recovered by %q, and the history ends with %q", r.RecoveredBy, lines[len(lines)-1])
	}

	p.Click("main .actions .button.primary")
	p.AwaitText("h1", "Reply")
	p.Picture("desk/e2e/4-reply")
	var text string
	if p.Eval("document.getElementById('text').innerText", &text); !strings.Contains(text, b.email) || !strings.Contains(text, "$249.00") {
		t.Errorf("the reply lacks what the customer must know: %s", text)
	}
	p.Type("input[name=reason]", "they wait for a word")
	p.Click("main form[data-once] button[type=submit]")
	p.AwaitText(".told", "The reply is queued")
	await(t, "the reply", func() bool { return len(b.mails(t)) == 2 })
	p.Go(s.AdminURL() + "/audit")
	p.AwaitText(".rows", "they wrote that they paid and have nothing")
	p.Picture("desk/e2e/5-audit")
	for _, path := range []string{"/", "/integrity", "/events?show=all", "/runs", "/incidents", "/tickets", "/charging"} {
		p.Go(s.AdminURL() + path)
		var troubles int
		if p.Eval("document.querySelectorAll('.trouble').length", &troubles); troubles > 0 {
			t.Errorf("%s is in trouble: %s", path, p.Text("main"))
		}
		p.Picture("desk/e2e/6" + strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(path))
	}
	if problems := p.Problems(); len(problems) > 0 {
		t.Errorf("in the browser: %q", problems)
	}
}
