package crashlab

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"makegood.example/deploy/internal/judge"
	"makegood.example/services/platform/browsertest"
)

func pointsOf(n int) (all []point) {
	for i := range n {
		all = append(all, point{path: purchase, service: "orders", what: strings.Repeat("x", i+1), durable: i%2 == 0})
	}
	return all
}

func TestTheSeedChoosesAndTheFullFormLeavesNothingOut(t *testing.T) {
	choose := func(seed uint64, full bool) (kinds []kind) {
		random := rand.New(rand.NewPCG(seed, 0))
		for _, p := range pointsOf(20) {
			many := some
			if full {
				many = everyKind
			}
			shots := shotsAt(p, many, random)
			if alone := shotsAt(p, one, rand.New(rand.NewPCG(seed, 1))); len(alone) != 1 || !slices.Contains(p.faults(), alone[0].kind) {
				t.Errorf("%s: one of them is %v", p, alone)
			}
			for _, s := range shots {
				kinds = append(kinds, s.kind)
			}
			if !full && (len(shots) != 2 || shots[0].kind.kills() == shots[1].kind.kills()) {
				t.Errorf("%s: %v", p, kinds)
			}
			if !p.durable && slices.ContainsFunc(shots, func(s *shot) bool { return s.kind == killAfter || s.kind == lostAfter }) {
				t.Errorf("after something that is not durable: %v", kinds)
			}
		}
		return kinds
	}
	if !slices.Equal(choose(1, false), choose(1, false)) || slices.Equal(choose(1, false), choose(2, false)) {
		t.Error("the seed does not choose")
	}
	if n := len(choose(1, true)); n != 10*len(within)+10*len(ending) {
		t.Errorf("%d faults at twenty points", n)
	}
}

// A point that everybody passes alone, and where no fault struck, is missed; one that
// somebody passes and somebody not was met while recording because of the others.
func TestWhatNotEverybodyPassesAloneWasByChance(t *testing.T) {
	points := pointsOf(3)
	own, rare := point{path: background, service: "orders", what: "x"}, point{path: background, service: "orders", what: "y"}
	missed := []*shot{{point: points[0]}, {point: points[1]}, {point: own}, {point: points[2]}, {point: rare}}
	before := map[point]int{points[0]: 3, points[1]: 3, points[2]: 3, own: 30, rare: 4}
	still, chance := whoPassed(missed, before, map[point]int{points[0]: 6, points[1]: 3, points[2]: 5, own: 60, rare: 5})
	if !slices.Equal(still, []*shot{missed[0], missed[2]}) || !slices.Equal(chance, []*shot{missed[1], missed[3], missed[4]}) {
		t.Errorf("missed %v, by chance %v", still, chance)
	}
}

func TestThePartsTogetherAreEverythingOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	counts := map[string]int{}
	for n := range 4 {
		part, err := ParsePart(Part{n + 1, 4}.String())
		if err != nil {
			t.Fatal(err)
		}
		mine := 0
		for _, p := range pointsOf(40) {
			for _, s := range shotsAt(p, everyKind, random) {
				if part.has(s) {
					counts[p.String()+string(s.kind)]++
					mine++
				}
			}
		}
		if mine < 20 || mine > 90 {
			t.Errorf("part %s has %d of 200 faults", part, mine)
		}
	}
	for what, n := range counts {
		if n != 1 {
			t.Errorf("%s is in %d parts", what, n)
		}
	}
	if len(counts) != 20*len(within)+20*len(ending) {
		t.Errorf("%d faults in all parts", len(counts))
	}
	for _, bad := range []string{"0/4", "5/4", "1", "1/0", "a/b", "1/4 ", "1/4/7"} {
		if _, err := ParsePart(bad); err == nil {
			t.Errorf("%q is a part", bad)
		}
	}
}

// The clock decides whether an order is COMPLETE or RECOVERED: a point is one and the
// same, or the busy machine's half would not be met again.
func TestWhatTheClockChoosesIsOneStep(t *testing.T) {
	at := func(states ...string) point {
		return pointOf(purchase, moment{service: "orders", writes: []write{{name: "UpdateOrder", ops: []string{"UPDATE orders.orders"}, states: states}}})
	}
	if at("CHARGED", "COMPLETE") != at("CHARGED", "RECOVERED") || at("PENDING", "CHARGED") == at("CHARGED", "COMPLETE") {
		t.Errorf("%s and %s", at("CHARGED", "COMPLETE"), at("CHARGED", "RECOVERED"))
	}
}

func TestLateIsFromSettingOutOrFromTheirOwnFault(t *testing.T) {
	g := &stage{most: 20 * time.Second}
	out := time.Now()
	for _, c := range []struct {
		fault, arrived time.Duration // from setting out; no fault when 0
		late           string
	}{
		{0, 19 * time.Second, ""},
		{0, 21 * time.Second, "setting out"},
		{15 * time.Second, 30 * time.Second, ""},
		{time.Second, 22 * time.Second, "the fault"},
		{21 * time.Second, 22 * time.Second, "setting out"},
		{22 * time.Second, 21 * time.Second, "setting out"}, // had it before
		{30 * time.Second, time.Second, ""},
	} {
		r := &result{run: &run{setOut: out}, arrived: out.Add(c.arrived), shot: &shot{}}
		if c.fault > 0 {
			r.shot.at = out.Add(c.fault)
		}
		g.measure(r)
		if late := len(r.violations) > 0; late != (c.late != "") || late && !strings.Contains(r.violations[0].Evidence, c.late) {
			t.Errorf("fault at %s, there at %s: %v", c.fault, c.arrived, r.violations)
		}
	}
}

func TestEverybodyWaitsForEverybodyWhoIsThere(t *testing.T) {
	var b barrier
	ready, _ := b.join()
	other, _ := b.join()
	_, gone := b.join()
	passed := make(chan error, 2)
	go func() { passed <- ready(t.Context()) }()
	go func() { passed <- other(t.Context()) }()
	select {
	case <-passed:
		t.Fatal("passed before the third was there or gone")
	case <-time.After(20 * time.Millisecond):
	}
	gone()
	gone() // counts once
	for range 2 {
		if err := <-passed; err != nil {
			t.Error(err)
		}
	}
	waits, _ := new(barrier).join()
	ended, end := context.WithCancel(t.Context())
	end()
	_ = waits(ended) // alone it is complete, or it ends with its context
}

// TestTheTableSaysWhoLost: a report is clean only without a violation and with every
// point struck that every recording passed.
func TestTheTableSaysWhoLost(t *testing.T) {
	p := point{path: purchase, service: "orders", what: "InsertOrder", tables: "INSERT orders.orders", durable: true}
	r := newRun(purchase, 1)
	struck := &shot{point: p, kind: killAfter, run: r, hit: true, at: time.Now()}
	g := &stage{name: "paying", paths: []string{purchase}, points: []point{p}, runs: []*result{{run: r, shot: struck, recovery: 1200 * time.Millisecond, waited: 2 * time.Second}}}
	whole := &report{seed: 7, stages: []*stage{g}}
	if text := whole.table(); !whole.clean() || !strings.Contains(text, "nobody lost") || !strings.Contains(text, "1.2 s") {
		t.Errorf("%s", text)
	}
	whole.early = true
	if text := whole.table(); whole.clean() || strings.Contains(text, "nobody lost") {
		t.Errorf("of what ended early: %s", text)
	}
	whole.early = false
	g.chance = []*shot{{point: p, kind: anError, tries: 2}}
	if text := whole.table(); !whole.clean() || !strings.Contains(text, "by chance, not met again: error at purchase: orders InsertOrder") {
		t.Errorf("%s", text)
	}
	g.missed = []*shot{{point: p, kind: lostAfter, tries: triesMost}}
	if text := whole.table(); whole.clean() || !strings.Contains(text, "NOT HIT in 4 tries: connection lost, answer withheld at purchase: orders InsertOrder") {
		t.Errorf("%s", text)
	}
	g.missed = nil
	g.runs[0].violations = []judge.Finding{{Rule: judge.Unserved, Subject: "ch_1", Evidence: "no access"}}
	if text := whole.table(); whole.clean() || !strings.Contains(text, "VIOLATION UNSERVED ch_1: no access") || strings.Contains(text, "nobody lost") {
		t.Errorf("%s", text)
	}
	page := t.TempDir() + "/report.html"
	g.loose = []*shot{struck}
	r.say("sets out")
	r.struck(killAfter, p)
	if err := whole.write(page); err != nil {
		t.Fatal(err)
	}
	// Whoever reads it, with whatever.
	shown := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(page))))
	defer shown.Close()
	browser := browsertest.Start(t)
	for _, view := range []browsertest.View{{}, {Phone: true, Dark: true}} {
		p := browser.Open(view)
		p.Go(shown.URL + "/report.html")
		p.Eval(`document.querySelectorAll("details").forEach((d) => d.open = true)`, nil)
		for _, wrong := range append(p.Inaccessible(), p.Problems()...) {
			t.Errorf("%+v: %s", view, wrong)
		}
	}
}
