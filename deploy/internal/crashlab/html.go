package crashlab

import (
	_ "embed"
	"html/template"
	"os"
	"slices"
	"time"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Parse(page))

// The report shows the timelines of all runs with a violation, and of the slowest.
const slowestShown = 40

// told is a run as the page shows it.
type told struct {
	Title, Fault, Point string
	Recovery            string
	Violations          []string
	Lines               []toldLine
}

type toldLine struct {
	After string
	What  string
	// Percent is where it is on the bar of the run.
	Percent float64
	Fault   bool
}

// write makes the page: one file that needs no other.
func (r *report) write(path string) error {
	var violated, slow []told
	var all []*result
	type shown struct {
		Stage, Point, Fault, Outcome string
		Bad                          bool
	}
	var matrix []shown
	for _, g := range r.stages {
		all = append(all, g.runs...)
		for _, s := range g.missed {
			matrix = append(matrix, shown{g.name, s.point.String(), string(s.kind), "not hit", true})
		}
		for _, s := range g.chance {
			matrix = append(matrix, shown{g.name, s.point.String(), string(s.kind), "passed by chance while recording, and not met again", false})
		}
		for _, s := range g.loose {
			matrix = append(matrix, shown{g.name, s.point.String(), string(s.kind), "nobody noticed", false})
		}
		for _, one := range g.runs {
			if one.shot == nil || !one.shot.hit {
				continue
			}
			outcome := "had it before the fault"
			if one.recovery > 0 {
				outcome = "recovered in " + round(one.recovery).String()
			}
			if len(one.violations) > 0 {
				outcome = one.violations[0].String()
			}
			matrix = append(matrix, shown{g.name, one.shot.point.String(), string(one.shot.kind), outcome, len(one.violations) > 0})
		}
	}
	slices.SortStableFunc(all, func(a, b *result) int { return int(b.recovery - a.recovery) })
	for _, one := range all {
		if len(one.violations) > 0 {
			violated = append(violated, tell(one))
		} else if one.recovery > 0 && len(slow) < slowestShown {
			slow = append(slow, tell(one))
		}
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := pageTemplate.Execute(file, map[string]any{
		"Seed": r.seed, "Full": r.full, "Began": r.began.UTC().Format(time.RFC3339), "Took": time.Since(r.began).Round(time.Second),
		"Rows": r.rows(), "Clean": r.clean(), "Matrix": matrix, "Violated": violated, "Slow": slow,
	}); err != nil {
		return err
	}
	return file.Close()
}

func tell(one *result) told {
	r := one.run
	r.mu.Lock()
	defer r.mu.Unlock()
	t := told{Title: r.path + ", order " + r.orderID.String()}
	if one.shot != nil {
		t.Fault, t.Point = string(one.shot.kind), one.shot.point.String()
	}
	if one.recovery > 0 {
		t.Recovery = round(one.recovery).String()
	}
	for _, f := range one.violations {
		t.Violations = append(t.Violations, f.String())
	}
	end := r.began
	for _, l := range r.lines {
		if l.At.After(end) {
			end = l.At
		}
	}
	whole := max(end.Sub(r.began), time.Millisecond)
	for _, l := range r.lines {
		after := l.At.Sub(r.began)
		t.Lines = append(t.Lines, toldLine{
			After: after.Round(time.Millisecond).String(), What: l.What, Percent: 100 * min(1, max(0, float64(after)/float64(whole))),
			Fault: l.Fault,
		})
	}
	return t
}
