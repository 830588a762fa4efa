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
	{"charging", "/charging"},
	{"more", "/more"},
	{"nowhere", "/nowhere"},
}

// looks are how people look at the desk. The narrowest is a window of 1280 × 1024
// at 400 %.
var looks = []struct {
	name string
	view browsertest.View
}{
	{"phone-light", browsertest.View{Phone: true}},
	{"phone-dark", browsertest.View{Phone: true, Dark: true}},
	{"desktop-light", browsertest.View{}},
	{"desktop-dark", browsertest.View{Dark: true}},
	{"small-phone", browsertest.View{Width: 320, Height: 568, Phone: true}},
	{"zoom", browsertest.View{Width: 320, Height: 256}},
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
			check(page.name)
			// What is folded away must be as good.
			p.Eval("document.querySelectorAll('details').forEach((d) => { d.open = true; })", nil)
			check(page.name + "-open")
		}
		p.Go(d.url + "/runs")
		p.Click("main button.primary")
		p.Await("document.getElementById('ended')")
		check("watch")
		d.quiet()
		for _, page := range pages {
			p.Go(d.url + page.path)
			check(page.name + "-quiet")
		}
		for _, problem := range p.Problems() {
			if !strings.Contains(problem, "/nowhere: 404") && !strings.Contains(problem, "/events/evt_1ForNobody: 404") {
				t.Errorf("%s: %s", look.name, problem)
			}
		}
	}
}
