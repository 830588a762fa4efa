package crashlab

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// report is what all stages came to.
type report struct {
	seed   uint64
	how    string
	began  time.Time
	stages []*stage
	// early: it ended before everything was struck and judged.
	early bool
}

func (r *report) add(g *stage) { r.stages = append(r.stages, g) }

// clean says whether nobody lost and nothing was left out.
func (r *report) clean() bool {
	return !r.early && !slices.ContainsFunc(r.stages, (*stage).violated)
}

// row is a line of the table: a path.
type row struct {
	Stage, Path                      string
	Points, Faults, Runs, Violations int
	Missed                           int
	recoveries                       []time.Duration
	Recovered                        int
	P50, P95, Max                    string
	longest                          time.Duration
	Longest                          string // of any customer, from setting out
}

// rows are the paths of all stages and what came out.
func (r *report) rows() (rows []row) {
	total := row{Stage: "all"}
	for _, g := range r.stages {
		for _, path := range append(slices.Clone(g.paths), background) {
			x := row{Stage: g.name, Path: path}
			for _, p := range g.points {
				if p.path == path {
					x.Points++
				}
			}
			for _, s := range g.loose {
				if s.point.path == path {
					x.Faults++
				}
			}
			for _, one := range g.runs {
				if one.run.path != path {
					continue
				}
				x.Runs++
				x.Violations += len(one.violations)
				x.longest = max(x.longest, one.waited)
				if one.shot != nil && one.shot.hit {
					x.Faults++
					if one.recovery > 0 {
						x.recoveries = append(x.recoveries, one.recovery)
					}
				}
			}
			for _, s := range g.missed {
				if s.point.path == path {
					x.Missed++
				}
			}
			total.Points += x.Points
			total.Faults += x.Faults
			total.Runs += x.Runs
			total.Violations += x.Violations
			total.Missed += x.Missed
			total.longest = max(total.longest, x.longest)
			total.recoveries = append(total.recoveries, x.recoveries...)
			rows = append(rows, x)
		}
	}
	rows = append(rows, total)
	for i := range rows {
		x := &rows[i]
		slices.Sort(x.recoveries)
		x.Recovered = len(x.recoveries)
		x.Longest = seconds(x.longest)
		x.P50, x.P95, x.Max = seconds(quantile(x.recoveries, 0.5)), seconds(quantile(x.recoveries, 0.95)), seconds(quantile(x.recoveries, 1))
	}
	return rows
}

// quantile is 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func seconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// table is the whole result for a terminal.
func (r *report) table() string {
	var text strings.Builder
	line := "%-17s%-17s%7s%7s%6s%11s%13s%8s%8s%8s%10s\n"
	fmt.Fprintf(&text, "\n"+line, "", "path", "points", "faults", "runs", "violations", "recoveries", "p50", "p95", "max", "longest")
	for _, x := range r.rows() {
		n := func(i int) string { return fmt.Sprint(i) }
		fmt.Fprintf(&text, line, x.Stage, x.Path, n(x.Points), n(x.Faults), n(x.Runs), n(x.Violations), n(x.Recovered), x.P50, x.P95, x.Max, x.Longest)
	}
	for _, g := range r.stages {
		for _, s := range g.missed {
			fmt.Fprintf(&text, "NOT HIT in %d tries: %s at %s\n", s.tries, s.kind, s.point)
		}
		for _, s := range g.chance {
			fmt.Fprintf(&text, "by chance, not met again: %s at %s\n", s.kind, s.point)
		}
		for _, one := range g.runs {
			for _, f := range one.violations {
				fmt.Fprintf(&text, "VIOLATION %s\n", f)
				if one.shot != nil {
					fmt.Fprintf(&text, "    after %s at %s\n", one.shot.kind, one.shot.point)
				}
			}
		}
	}
	if r.clean() {
		fmt.Fprintf(&text, "nobody lost: every charge gives access or went back, and no hand was needed (seed %d)\n", r.seed)
	}
	return text.String()
}
