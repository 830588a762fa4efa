package console_test

import (
	"os"
	"strings"
	"testing"

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
	d := start(t)
	browser := browsertest.Start(t)
	pictures := os.Getenv("MAKEGOOD_PICTURES") != ""
	for _, look := range looks {
		if look.onlyPictures && !pictures {
			continue
		}
		p := browser.Open(look.view)
		p.Go(d.url + "/sign-in")
		check := func(name string) {
			t.Helper()
			if pictures {
				p.Picture("desk/" + look.name + "/" + name)
			}
			for _, wrong := range p.Inaccessible() {
				t.Errorf("%s, %s: %s", look.name, name, wrong)
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
				t.Errorf("%s: %s", look.name, problem)
			}
		}
	}
}
