package fleet

import (
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Parse(page))

// clean says whether nobody lost and everything happened that was to happen.
func (f *fleet) clean() bool { return len(f.findings) == 0 }

// line is one of the table.
type line struct{ What, Said string }

// lines are what it came to.
func (f *fleet) lines() (lines []line) {
	add := func(what, format string, args ...any) {
		lines = append(lines, line{what, fmt.Sprintf(format, args...)})
	}
	for _, k := range kinds {
		add(string(k), "%d times", f.counts[k])
	}
	slices.Sort(f.recoveries)
	add("killed, ready again", "p50 %s, p95 %s, max %s", round(quantile(f.recoveries, 0.5)), round(quantile(f.recoveries, 0.95)), round(quantile(f.recoveries, 1)))
	add("woken in the middle", "%d calls: %s", len(f.wokenCalls), tally(f.wokenCalls))
	if f.crowd != nil {
		failed, how := f.door.failed()
		add("requests of buyers", "%d, of which %d were not answered and made again", f.door.asked.Load(), failed)
		for _, k := range slices.Sorted(maps.Keys(how)) {
			add("", "%d × %s", how[k], k)
		}
		var took []time.Duration
		byWay := map[string]int{}
		for _, p := range f.crowd.done {
			took = append(took, p.took)
			byWay[p.way]++
		}
		slices.Sort(took)
		add("purchases", "%d", len(took))
		for _, k := range slices.Sorted(maps.Keys(byWay)) {
			add("", "%d × %s", byWay[k], k)
		}
		add("from click to access", "p50 %s, p95 %s, max %s", round(quantile(took, 0.5)), round(quantile(took, 0.95)), round(quantile(took, 1)))
	}
	add("at rest", "%s after the last buyer went home", round(f.rested))
	add("violations", "%d", len(f.findings))
	return lines
}

// table is the whole result for a terminal.
func (f *fleet) table() string {
	var text strings.Builder
	fmt.Fprintln(&text)
	for _, l := range f.lines() {
		fmt.Fprintf(&text, "%-46s%s\n", l.What, l.Said)
	}
	for _, finding := range f.findings {
		fmt.Fprintf(&text, "VIOLATION %s\n", finding)
	}
	if f.clean() {
		fmt.Fprintf(&text, "\nnobody lost: every charge gives access or went back, and no hand was needed (seed %d)\n", f.opts.Seed)
	}
	return text.String()
}

// write makes the page: one file that needs no other.
func (f *fleet) write(dir string) (path string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(dir, "report.html")
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if err := pageTemplate.Execute(file, map[string]any{
		"Seed": f.opts.Seed, "Length": f.opts.Length, "Began": f.began.UTC().Format(time.RFC3339), "Took": time.Since(f.began).Round(time.Second),
		"Clean": f.clean(), "Lines": f.lines(), "Findings": f.findings, "Events": f.events,
	}); err != nil {
		return "", err
	}
	return path, file.Close()
}

// keepLogs copies the processes' logs beside the report when something is wrong.
func (f *fleet) keepLogs() error {
	if f.shop == nil {
		return nil
	}
	return os.CopyFS(filepath.Join(f.opts.Dir, "fleet", "log", time.Now().Format("20060102-150405")), os.DirFS(filepath.Join(f.shop.Dir(), "log")))
}

// tally counts what is the same.
func tally(all []string) string {
	counts := map[string]int{}
	for _, one := range all {
		counts[one]++
	}
	var said []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		said = append(said, fmt.Sprintf("%d × %s", counts[k], k))
	}
	return strings.Join(said, ", ")
}

// quantile is 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
