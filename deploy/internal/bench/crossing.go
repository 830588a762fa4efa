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
// by the benchmarks that lie beside them, and in which sums their time counts.
var crossed = []struct {
	folder, benchmark, what string
	in                      []string
}{
	{"services/orders/internal/store", "BenchmarkFindCharges", "orders", []string{found}},
	{"services/orders/internal/store", "BenchmarkMatchCharges", "and duplicates", []string{matched, kept}},
	{"services/provisioning/internal/store", "BenchmarkMatchGrants", "grants", []string{matched, kept}},
	{"services/reconciliation/internal/store", "BenchmarkDispositions", "dispositions", []string{kept}},
}

// The sums: a charge's order by three keys; whether it was paid twice and what it gave,
// too; and with what became of it kept.
const (
	found   = "found"
	matched = "matched"
	kept    = "matched and kept"
)

// crossReferencing compares the statements by which a page of charges gets its
// orders, its grants and its dispositions with the usual way, a statement for each
// charge and each of these, on a database that is near and on one that is 1 ms away.
func (b *bench) crossReferencing(ctx context.Context) error {
	took := map[string]map[string]float64{found: {}, matched: {}, kept: {}} // seconds for one charge, by sum, place and way
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
				for _, sum := range c.in {
					took[sum][place+way] += 1 / rate
				}
			}
			b.say("  %-14s %-5s one by one %8.0f /s   by the page %8.0f /s   four workers %8.0f /s   memory %2.0f MB, %2.0f after a tenth", c.what, place,
				got[place]["row/s"], got[place]["page1/s"], got[place]["page4/s"], got[place]["MB"], got[place]["MB-first-tenth"])
			held = max(held, got[place]["MB"])
		}
	}
	of := fmt.Sprintf("%d charges", b.scale.charges)
	for _, sum := range []string{found, matched, kept} {
		by := took[sum]
		what := of + " " + sum
		b.report.figure("%s, a second: %.0f with one worker, %.0f with four, %.0f one by one; 1 ms away %.0f, %.0f and %.0f", what,
			1/by["nearpage1"], 1/by["nearpage4"], 1/by["nearrow"], 1/by["farpage1"], 1/by["farpage4"], 1/by["farrow"])
		b.report.goal(what+", of one by one, one worker", ">= 8", "%.1f", by["nearrow"]/by["nearpage1"])
		b.report.goal(what+", of one by one, four workers", ">= 15", "%.1f", by["nearrow"]/by["nearpage4"])
		b.report.goal(what+", 1 ms away, one worker", ">= 50", "%.0f", by["farrow"]/by["farpage1"])
		b.report.goal(what+", 1 ms away, four workers", ">= 50", "%.0f", by["farrow"]/by["farpage4"])
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
