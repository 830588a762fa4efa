package console_test

import (
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/browsertest"
)

// pages are all that can be looked at, by the name of their picture.
var pages = []struct{ name, path string }{
	{"queue", "/"},
	{"case", "/cases/41"},
	{"runs", "/runs"},
	{"integrity", "/integrity"},
	{"events", "/events"},
	{"event", "/events/evt_1ForNobody"},
	{"lookup", "/lookup"},
	{"diagnosis", "/lookup?q=5F0C1C1E"},
	{"preview", "/do/recover?order_id=" + orderID + "&reason=paid%2C+and+no+access&back=%2F"},
	{"refund", "/do/refund?order_id=" + orderID + "&currency=USD"},
	{"adopt", "/do/adopt?charge_id=" + chargeID},
	{"link", "/do/link?event_id=evt_1ForNobody"},
	{"pause", "/do/pause"},
	{"reply", "/reply?template=RECOVERY&order_id=" + orderID},
	{"tickets", "/tickets"},
	{"new-ticket", "/tickets/new"},
	{"ticket", "/tickets/7"},
	{"hooks", "/hooks"},
	{"hooks-all", "/hooks?show=all&account=" + accountID},
	{"send-again", "/do/hooks?since=2026-11-21T01%3A20%3A00Z&which=from+the+first+that+it+did+not+take"},
	{"incidents", "/incidents"},
	{"incident", "/incidents/stuck-order"},
	{"audit", "/audit"},
	{"charging", "/charging"},
	{"more", "/more"},
	{"nowhere", "/nowhere"},
}

// looks are how people look at the desk. The narrowest is a window of 1280 × 1024
// at 400 %. Those that show nothing which the others do not are looked at where
// somebody will look at the pictures.
var looks = []struct {
	name         string
	view         browsertest.View
	onlyPictures bool
}{
	{"phone-light", browsertest.View{Phone: true}, false},
	{"phone-dark", browsertest.View{Phone: true, Dark: true}, true},
	{"desktop-light", browsertest.View{}, true},
	{"desktop-dark", browsertest.View{Dark: true, ReducedMotion: true}, false},
	{"small-phone", browsertest.View{Width: 320, Height: 568, Phone: true, Dark: true}, true},
	{"zoom", browsertest.View{Width: 320, Height: 256}, false},
}

// signsIn goes through the sign-in as a person does.
func (d *desk) signsIn(p *browsertest.Page, role string) {
	p.Go(d.url + "/sign-in")
	p.Type("input[name=token]", role+tokenTail)
	p.Click("main button[type=submit]")
	p.AwaitText("h1", "Queue")
}

// Every page, on a bad night and on a quiet one, small and large, light and dark.
func TestEveryPageCanBeReadAndUsed(t *testing.T) {
	pictures := os.Getenv("MAKEGOOD_PICTURES") != ""
	for _, look := range looks {
		if look.onlyPictures && !pictures {
			continue
		}
		t.Run(look.name, func(t *testing.T) {
			d := start(t)
			p := browsertest.Start(t).Open(look.view)
			p.Go(d.url + "/sign-in")
			check := func(name string) {
				t.Helper()
				if pictures {
					p.Picture("desk/" + look.name + "/" + name)
				}
				for _, wrong := range p.Inaccessible() {
					t.Errorf("%s: %s", name, wrong)
				}
			}
			check("sign-in")
			d.badNight()
			d.signsIn(p, "admin")
			for _, page := range pages {
				p.Go(d.url + page.path)
				if pictures {
					check(page.name)
				}
				// What is folded away must be as good.
				p.Eval("document.querySelectorAll('details').forEach((d) => { d.open = true; })", nil)
				check(page.name + "-open")
			}
			p.Go(d.url + "/runs")
			p.Click("main button.primary")
			p.Await("document.getElementById('ended')")
			check("watch")
			p.Go(d.url + "/do/recover?order_id=" + orderID)
			p.Type("input[name=reason]", "they wrote")
			d.peers.Script.Say("Recover", recovered(), nil)
			p.Click(".confirm button[type=submit]")
			p.AwaitText("h2", "Recovered: access is in force")
			check("recovered")
			d.quiet()
			for _, page := range pages {
				p.Go(d.url + page.path)
				check(page.name + "-quiet")
			}
			for _, problem := range p.Problems() {
				if !strings.Contains(problem, "/nowhere: 404") && !strings.Contains(problem, "/events/evt_1ForNobody: 404") && !strings.Contains(problem, "/tickets/7: 404") && !strings.Contains(problem, "/incidents/stuck-order: 404") {
					t.Error(problem)
				}
			}
		})
	}
}

// A run is followed while it goes on, without scripts: the page grows, and shows the
// newest state alone.
func TestARunIsSeenAsItGoesOn(t *testing.T) {
	d := start(t)
	d.badNight()
	more := make(chan struct{})
	d.peers.Reconciliation.Watch = func(_ *reconciliationv1.WatchRunRequest, send func(*reconciliationv1.Run) error) error {
		for _, checked := range []int32{0, 100} {
			if err := send(&reconciliationv1.Run{Id: 513, Status: reconciliationv1.Run_RUNNING, StartedAt: ago(0), ChargesChecked: checked}); err != nil {
				return err
			}
		}
		<-more
		return send(&reconciliationv1.Run{Id: 513, Status: reconciliationv1.Run_SUCCEEDED, StartedAt: ago(0), FinishedAt: ago(0), ChargesChecked: 214})
	}
	p := browsertest.Start(t).Open(browsertest.View{Phone: true, NoScripts: true})
	d.signsIn(p, "support")
	p.Go(d.url + "/runs")
	p.Click("main button.primary")
	const newest = "Array.from(document.querySelectorAll('.snapshot')).filter((s) => s.checkVisibility())"
	p.Await(newest + ".map((s) => s.innerText).join().includes('100')")
	p.Await("getComputedStyle(document.querySelector('.snapshots'), '::after').content.includes('Still running')")
	close(more)
	p.Await("document.getElementById('ended')")
	var seen []string
	if p.Eval(newest+".map((s) => s.innerText)", &seen); len(seen) != 1 || !strings.Contains(seen[0], "214") || !strings.Contains(seen[0], "succeeded") {
		t.Errorf("at the end one sees %q", seen)
	}
}

// A double click, with scripts and without, is one wish.
func TestADoubleClickIsOneWish(t *testing.T) {
	d := start(t)
	d.badNight()
	browser := browsertest.Start(t)
	for _, view := range []browsertest.View{{}, {NoScripts: true, Phone: true}} {
		d.peers.Script.Say("Recover", wouldRecover(), nil)
		p := browser.Open(view)
		d.signsIn(p, "support")
		p.Go(d.url + "/do/recover?order_id=" + orderID)
		p.Type("input[name=reason]", "she wrote")
		d.peers.Script.Forget()
		d.peers.Script.Say("Recover", recovered(), nil)
		p.DoubleClick(".confirm button[type=submit]")
		p.AwaitText("h2", "Recovered: access is in force")
		keys := map[string]bool{}
		for _, a := range d.peers.Script.Asked("Recover") {
			act := a.Request.(*reconciliationv1.RecoverRequest).GetAct()
			keys[act.GetIdempotencyKey()] = true
			if act.GetDryRun() {
				t.Error("the click asked for a look")
			}
		}
		if len(keys) != 1 {
			t.Errorf("no scripts %t: %d wishes", view.NoScripts, len(keys))
		}
	}
}

// The desk by keyboard: the first key is the way past the navigation; in a list, j
// and k go from one to the next; Enter opens it.
func TestTheDeskByKeyboard(t *testing.T) {
	d := start(t)
	d.badNight()
	p := browsertest.Start(t).Open(browsertest.View{})
	d.signsIn(p, "support")
	p.Press(kb.Tab)
	p.Await("document.activeElement.matches('.skip') && document.activeElement.getBoundingClientRect().top >= 0")
	p.Press(kb.Enter)
	p.Await("document.activeElement.id === 'main'")
	for range 6 { // past a link in a notice and the tabs
		p.Press(kb.Tab)
		var inList bool
		if p.Eval("!!document.activeElement.closest('[data-row]')", &inList); inList {
			break
		}
	}
	p.Press("j")
	p.Await("document.activeElement.getAttribute('href') === '/cases/38'")
	p.Press("k")
	p.Press("k") // there is nothing above
	p.Await("document.activeElement.getAttribute('href') === '/cases/41'")
	p.Press(kb.Enter)
	p.AwaitText("h1", "#41")
	p.Press("j") // outside of a list a key alone does nothing
	p.Await("document.activeElement === document.body")
}
