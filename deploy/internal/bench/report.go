package bench

import (
	"fmt"
	"strings"
	"time"
)

// report collects the table that everybody reads and the goals beside it.
type report struct {
	opts      Options
	insertWay string
	rates     []string
	goals     []goal
	notes     []string
}

// goal is a ratio that PERFORMANCE asks for, and what this run came to.
type goal struct{ what, wanted, measured string }

func newReport(opts Options) *report { return &report{opts: opts} }

func (r *report) goal(what, wanted, format string, args ...any) {
	r.goals = append(r.goals, goal{what, wanted, fmt.Sprintf(format, args...)})
}

// figure adds a line that is no ratio.
func (r *report) figure(format string, args ...any) {
	r.rates = append(r.rates, "\n"+fmt.Sprintf(format, args...))
}

func (r *report) missing(what, why string) { r.notes = append(r.notes, what+": not measured: "+why) }

// throughput adds a table of rates and the ratios that follow from them.
func (r *report) throughput(disk string, got results, clients []int) {
	r.rates = append(r.rates, fmt.Sprintf("\n%sevents per second (p50, p99 in ms)\n%-12s%s", disk, "", columns(clients)))
	for _, name := range []string{ours, plainly, theirs, inserts} {
		if got[name] == nil {
			continue
		}
		line := fmt.Sprintf("%-12s", name)
		for _, n := range clients {
			x := got.at(name, n)
			cell := fmt.Sprintf("%.0f", x.perSecond)
			if x.p50 > 0 {
				cell += fmt.Sprintf(" (%.1f, %.1f)", ms(x.p50), ms(x.p99))
			}
			line += fmt.Sprintf("%24s", cell)
		}
		r.rates = append(r.rates, line)
	}
	for _, n := range clients {
		wanted := ">= 0.6"
		if disk != "" {
			wanted = ""
		}
		r.goal(fmt.Sprintf("%sof the database's own inserts, %d clients", disk, n), wanted, "%.2f", got.ratio(ours, inserts, n))
	}
	for _, n := range clients {
		r.goal(fmt.Sprintf("%sof the plain way, %d clients", disk, n), "", "%.2f", got.ratio(ours, plainly, n))
	}
	if got[theirs] == nil {
		return
	}
	for _, n := range clients {
		wanted := map[int]string{8: ">= 3", 32: ">= 4"}[n]
		if disk != "" {
			wanted = ">= 1"
		}
		r.goal(fmt.Sprintf("%sof the peer, %d clients", disk, n), wanted, "%.2f", got.ratio(ours, theirs, n))
		if mine, peers := got.at(ours, n).p99, got.at(theirs, n).p99; n == 32 && disk == "" && peers > 0 {
			r.goal("p99 of the peer's, 32 clients", "<= 0.25", "%.2f", float64(mine)/float64(peers))
		}
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func columns(clients []int) string {
	var text strings.Builder
	for _, n := range clients {
		unit := "clients"
		if n == 1 {
			unit = "client"
		}
		fmt.Fprintf(&text, "%24s", fmt.Sprintf("%d %s", n, unit))
	}
	return text.String()
}

func (r *report) memory(before, warm, after map[string]int64) {
	for _, name := range measuredProcesses {
		if before[name] == 0 {
			r.missing("memory of "+name, "ps does not tell it")
			continue
		}
		r.goal("memory of "+name+" at the end, of what it was warm", "flat", "%.2f (%d MB idle, %d warm, %d after)",
			float64(after[name])/float64(warm[name]), before[name]>>20, warm[name]>>20, after[name]>>20)
	}
}

// text is the whole report.
func (r *report) text(took time.Duration) string {
	var out strings.Builder
	fmt.Fprintf(&out, "Makegood, measured on %s in %s: %s.\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), took.Round(time.Second), machine())
	out.WriteString("Server, database and load share the cores; what is compared took turns, medians.\n")
	if r.insertWay != "" {
		fmt.Fprintf(&out, "Signed events of about 3 KB on keep-alive connections. The database's own rate is one 3 KB jsonb row a commit: %s.\n", r.insertWay)
	}
	if r.opts.Quick {
		out.WriteString("A QUICK RUN: it shows that everything can be measured, and its figures mean nothing.\n")
	}
	for _, line := range r.rates {
		out.WriteString(line + "\n")
	}
	fmt.Fprintf(&out, "\n%-62s %-10s %s\n", "ratio", "goal", "measured")
	for _, g := range r.goals {
		fmt.Fprintf(&out, "%-62s %-10s %s\n", g.what, g.wanted, g.measured)
	}
	for _, note := range r.notes {
		out.WriteString("\n" + note)
	}
	return out.String() + "\n"
}
