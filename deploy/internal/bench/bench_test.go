package bench_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"makegood.example/deploy/internal/bench"
	"makegood.example/deploy/internal/stack"
)

func TestMain(m *testing.M) {
	// The benchmark starts itself again as the endpoint to compare with.
	if slices.Contains(os.Args, bench.PlainServer) {
		if err := bench.RunPlain(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// Every part can be measured, and nothing is left behind but the report. How
// fast it was is no matter of a test.
func TestAQuickRunMeasuresEverything(t *testing.T) {
	dir, err := os.MkdirTemp("", "makegood-bench-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := stack.Build(t.Context(), filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	path, err := bench.Run(t.Context(), bench.Options{Dir: dir, Env: os.Environ(), Out: &told, Quick: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, told.String())
	}
	report, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"signature and needed fields", "of the database's own inserts", "of the plain way", "payments to CHARGED",
		"with 500 events stored", "memory of gateway", "memory of payments", "shared commits", "slow disk, shared commits", "slow disk, of the plain way",
		"charges matched and kept, of one by one, four workers", "1 ms away", "memory at most",
		"kept of a purchase", "kept of an event", "bodies that left a ledger", "months in which one body is looked for", "purchases while buyers grow in number",
		"six processes idle, memory", "of six commits an order", "job pickup",
		"of stripe-go's iterator", "a sweep's time, 1500 purchases behind it", "rows that the database reads for a sweep", "read from end to end", "the integrity report over all time, 1500 purchases",
	} {
		if !strings.Contains(string(report), part) {
			t.Errorf("the report says nothing of %q:\n%s", part, report)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if want := []string{filepath.Join(dir, "bench"), filepath.Join(dir, "bin")}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
