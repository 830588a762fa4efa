package bench

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// crossed are the statements by which a sweep finds out what becomes of a charge,
// by the benchmarks that lie beside them.
var crossed = []struct{ folder, benchmark, what string }{
	{"services/orders/internal/store", "BenchmarkMatchCharges", "orders"},
	{"services/provisioning/internal/store", "BenchmarkMatchGrants", "grants"},
	{"services/reconciliation/internal/store", "BenchmarkDispositions", "dispositions"},
}

// crossReferencing compares the statements by which a page of charges gets its
// orders, its grants and its dispositions with the usual way, a statement for each
// charge and each of these, on a database that is near and on one that is 1 ms away.
func (b *bench) crossReferencing(ctx context.Context) error {
	// Seconds for one charge, by place and way: of finding its order and its grant, and
	// of all, with what became of it kept.
	matched, took := map[string]float64{}, map[string]float64{}
	held := 0.0
	for _, c := range crossed {
		got, err := b.metrics(ctx, c.folder, c.benchmark, "ROWS="+strconv.Itoa(b.scale.charges))
		if err != nil {
			return err
		}
		for _, place := range []string{"near", "far"} {
			for _, way := range []string{"row", "page1", "page4"} {
				rate := got[place][way+"/s"]
				if rate == 0 {
					return fmt.Errorf("%s does not say how many %s/s it does %s", c.benchmark, way, place)
				}
				took[place+way] += 1 / rate
				if c.what != "dispositions" {
					matched[place+way] += 1 / rate
				}
			}
			b.say("  %-13s %-5s one by one %8.0f /s   by the page %8.0f /s   four workers %8.0f /s   memory %2.0f MB, %2.0f after a tenth", c.what, place,
				got[place]["row/s"], got[place]["page1/s"], got[place]["page4/s"], got[place]["MB"], got[place]["MB-first-tenth"])
			held = max(held, got[place]["MB"])
		}
	}
	of := fmt.Sprintf("%d charges", b.scale.charges)
	b.report.figure("%s cross-referenced and kept, a second: %.0f with one worker, %.0f with four, %.0f one by one; 1 ms away %.0f, %.0f and %.0f", of,
		1/took["nearpage1"], 1/took["nearpage4"], 1/took["nearrow"], 1/took["farpage1"], 1/took["farpage4"], 1/took["farrow"])
	for _, w := range []struct {
		what string
		by   map[string]float64
	}{{" matched", matched}, {" matched and kept", took}} {
		b.report.goal(of+w.what+", of one by one, one worker", ">= 8", "%.1f", w.by["nearrow"]/w.by["nearpage1"])
		b.report.goal(of+w.what+", of one by one, four workers", ">= 15", "%.1f", w.by["nearrow"]/w.by["nearpage4"])
		b.report.goal(of+w.what+", 1 ms away, one worker", ">= 50", "%.0f", w.by["farrow"]/w.by["farpage1"])
		b.report.goal(of+w.what+", 1 ms away, four workers", ">= 50", "%.0f", w.by["farrow"]/w.by["farpage4"])
	}
	b.report.goal(of+", memory at most", "<= 256 MB", "%.0f MB", held)
	return nil
}

var metricsLine = regexp.MustCompile(`(?m)^Benchmark\S*?/(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// metrics runs a benchmark once and returns what it reports, by its own name and
// by unit.
func (b *bench) metrics(ctx context.Context, folder, name string, env ...string) (map[string]map[string]float64, error) {
	root, err := workspace(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^"+name+"$", "-benchtime", "1x", "-timeout", "1h", "./"+folder)
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench %s: %w\n%s", name, err, out)
	}
	got := map[string]map[string]float64{}
	for _, line := range metricsLine.FindAllStringSubmatch(string(out), -1) {
		units := map[string]float64{}
		fields := strings.Fields(line[2])
		for i := 0; i+1 < len(fields); i += 2 {
			if units[fields[i+1]], err = strconv.ParseFloat(fields[i], 64); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		got[line[1]] = units
	}
	return got, nil
}
