package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// reading compares our own reading of an event with the Stripe library's, by
// the Go benchmark that lies beside that code.
func (b *bench) reading(ctx context.Context) error {
	took, err := b.goBenchmark(ctx, "services/payments/internal/webhook", "BenchmarkRead")
	if err != nil {
		return err
	}
	own, library := took["ours"], took["ConstructEvent"]
	if own == 0 || library == 0 {
		return fmt.Errorf("the benchmark does not say both times: %v", took)
	}
	b.say("  ours %.1f µs, ConstructEvent %.1f µs", own/1000, library/1000)
	b.report.goal("signature and needed fields, of webhook.ConstructEvent", ">= 2", "%.1f", library/own)
	return nil
}

var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark\S*?/(\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op`)

// goBenchmark runs benchmarks of a package in the workspace around us and
// returns the median nanoseconds of each by its own name.
func (b *bench) goBenchmark(ctx context.Context, folder, name string, env ...string) (map[string]float64, error) {
	workspace, err := exec.CommandContext(ctx, "go", "env", "GOWORK").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOWORK: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(workspace)))
	if root == "." {
		return nil, errors.New("the Go benchmarks need the workspace (go.work) around the working directory")
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^"+name+"$", "-benchtime", b.scale.benchtime, "-count", strconv.Itoa(b.scale.rounds), "./"+folder)
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench %s: %w\n%s", name, err, out)
	}
	seen := map[string][]rate{}
	for _, found := range benchmarkLine.FindAllStringSubmatch(string(out), -1) {
		ns, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			return nil, err
		}
		seen[found[1]] = append(seen[found[1]], rate{perSecond: ns})
	}
	took := map[string]float64{}
	for what, all := range seen {
		took[what] = median(all).perSecond
	}
	return took, nil
}
