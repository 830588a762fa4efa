package crashlab

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"slices"
	"time"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Parse(page))

// The report shows the timelines of all runs with a violation, and of the slowest on
// each path.
const slowestShown = 8

// told is a run as the page shows it.
type told struct {
	Title, Fault, Point string
	Recovery            string
	Violations          []string
	Lines               []toldLine
	// Open: the timeline is shown without a click.
	Open bool
	// From and Width are where the recovery is on the bar of the run, in percent.
	From, Width float64
}

type toldLine struct {
	After string
	What  string
	// Percent is where it is on the bar of the run.
	Percent float64
	Fault   bool
}

// outcome is a line of the list of all faults.
type outcome struct {
	Point, Fault, What string
	Bad                bool
}

// way is all that the page tells of one path.
type way struct {
	Row  row
	Dots []dot
	Slow []told
	All  []outcome
}

// dot is a recovery on the strip of its path; all paths have one scale.
type dot struct {
	Percent float64
	What    string
}

// Name is how a path is headed.
func (w way) Name() string {
	if w.Row.Path == background {
		return "what happens by itself"
	}
	return w.Row.Path
}

// write makes the page: one file that needs no other.
func (r *report) write(path string) error {
	rows := r.rows()
	all := rows[len(rows)-1]
	longest := max(quantile(all.recoveries, 1), time.Second)
	var ways []way
	var violated []told
	for _, g := range r.stages {
		for _, x := range rows {
			if x.Stage == g.name {
				ways = append(ways, g.way(x, longest))
			}
		}
		for _, one := range g.runs {
			if len(one.violations) > 0 {
				violated = append(violated, tell(one))
			}
		}
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := pageTemplate.Execute(file, map[string]any{
		"Seed": r.seed, "How": r.how, "Began": r.began.UTC().Format("2 January 2006, 15:04 UTC"), "Took": time.Since(r.began).Round(time.Second),
		"All": all, "Ways": ways, "Clean": r.clean(), "Early": r.early, "Violated": violated, "Scale": seconds(longest),
	}); err != nil {
		return err
	}
	return file.Close()
}

// way collects what the stage has about one path.
func (g *stage) way(x row, longest time.Duration) way {
	w := way{Row: x}
	add := func(shots []*shot, what string, bad bool) {
		for _, s := range shots {
			if s.point.path == x.Path {
				w.All = append(w.All, outcome{s.point.String(), string(s.kind), what, bad})
			}
		}
	}
	add(g.missed, "NOT HIT", true)
	add(g.chance, "passed by chance while recording, and not met again", false)
	add(g.loose, "nobody noticed", false)
	var recovered []*result
	for _, one := range g.runs {
		if one.run.path != x.Path || one.shot == nil || !one.shot.hit {
			continue
		}
		what := "had it before the fault"
		if one.recovery > 0 {
			what = "recovered in " + exactly(one.recovery)
			recovered = append(recovered, one)
			w.Dots = append(w.Dots, dot{100 * float64(one.recovery) / float64(longest), what + ": " + string(one.shot.kind)})
		}
		if len(one.violations) > 0 {
			what = one.violations[0].String()
		}
		w.All = append(w.All, outcome{one.shot.point.String(), string(one.shot.kind), what, len(one.violations) > 0})
	}
	slices.SortStableFunc(w.All, func(a, b outcome) int { return cmp.Compare(a.Point+a.Fault, b.Point+b.Fault) })
	slices.SortStableFunc(recovered, func(a, b *result) int { return cmp.Compare(b.recovery, a.recovery) })
	for _, one := range recovered[:min(slowestShown, len(recovered))] {
		w.Slow = append(w.Slow, tell(one))
	}
	if len(w.Slow) > 0 {
		w.Slow[0].Open = true
	}
	return w
}

func tell(one *result) told {
	r := one.run
	r.mu.Lock()
	defer r.mu.Unlock()
	t := told{Title: "order " + r.orderID.String()}
	if one.shot != nil {
		t.Fault, t.Point = string(one.shot.kind), one.shot.point.String()
	}
	if one.recovery > 0 {
		t.Recovery = exactly(one.recovery)
	}
	for _, f := range one.violations {
		t.Violations, t.Open = append(t.Violations, f.String()), true
	}
	end := r.began
	for _, l := range r.lines {
		if l.At.After(end) {
			end = l.At
		}
	}
	whole := max(end.Sub(r.began), time.Millisecond)
	percent := func(at time.Time) float64 { return 100 * min(1, max(0, float64(at.Sub(r.began))/float64(whole))) }
	for _, l := range r.lines {
		t.Lines = append(t.Lines, toldLine{fmt.Sprintf("%.3f s", l.At.Sub(r.began).Seconds()), l.What, percent(l.At), l.Fault})
	}
	if one.recovery > 0 {
		t.From = percent(one.shot.at)
		t.Width = percent(one.arrived) - t.From
	}
	return t
}

func exactly(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
