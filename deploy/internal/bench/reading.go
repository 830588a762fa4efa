package bench

import (
	"cmp"
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

// sharing compares commits that several events share with one commit for each,
// by the Go benchmark that lies beside that code. It starts a server of its own,
// with a library that slows its disk unless slow is empty.
func (b *bench) sharing(ctx context.Context, disk, slow string) error {
	got, err := b.goBenchmark(ctx, "services/payments/internal/store", "BenchmarkSharedCommits", "BENCH_PRELOAD="+slow)
	if err != nil {
		return err
	}
	for _, n := range []int{1, 8, 32, 128} {
		ratio, measured := got[fmt.Sprintf("%d-clients", n)]
		if !measured {
			return fmt.Errorf("the benchmark says nothing of %d clients: %v", n, got)
		}
		b.report.goal(fmt.Sprintf("%sshared commits, of one for each event, %d clients", disk, n),
			map[int]string{1: ">= 0.95", 8: ">= 0.95", 128: ">= 1.5"}[n], "%.2f", ratio)
		b.say("  %4d clients  %.2f of one commit for each event", n, ratio)
	}
	return nil
}

var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark\S*?/(\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op(?:\s+([0-9.]+) x-plain)?`)

// goBenchmark runs benchmarks of a package in the workspace around us and
// returns the median of each by its own name: nanoseconds, or the ratio that it
// reports.
func (b *bench) goBenchmark(ctx context.Context, folder, name string, env ...string) (map[string]float64, error) {
	root, err := workspace(ctx)
	if err != nil {
		return nil, err
	}
	args := []string{"test", "-run", "^$", "-bench", "^" + name + "$", "-benchtime", b.scale.benchtime, "-count", strconv.Itoa(b.scale.rounds)}
	if name == "BenchmarkSharedCommits" { // takes its turns and their median itself
		args = []string{"test", "-run", "^$", "-bench", "^" + name + "$", "-benchtime", "1x"}
	}
	if b.opts.Quick {
		args = append(args, "-short")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+folder)...)
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench %s: %w\n%s", name, err, out)
	}
	seen := map[string][]rate{}
	for _, found := range benchmarkLine.FindAllStringSubmatch(string(out), -1) {
		figure, err := strconv.ParseFloat(cmp.Or(found[3], found[2]), 64)
		if err != nil {
			return nil, err
		}
		seen[found[1]] = append(seen[found[1]], rate{perSecond: figure})
	}
	took := map[string]float64{}
	for what, all := range seen {
		took[what] = median(all).perSecond
	}
	return took, nil
}

// workspace is the folder of the workspace around us.
func workspace(ctx context.Context) (root string, err error) {
	file, err := exec.CommandContext(ctx, "go", "env", "GOWORK").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOWORK: %w", err)
	}
	if root = filepath.Dir(strings.TrimSpace(string(file))); root == "." {
		return "", errors.New("the Go benchmarks need the workspace (go.work) around the working directory")
	}
	return root, nil
}
