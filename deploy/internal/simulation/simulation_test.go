package simulation_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"makegood.example/deploy/internal/simulation"
	"makegood.example/deploy/internal/stack"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	pgtest.Main(m, stack.Schemas...)
}

const plans = `{"plans": [
	{"id": "annual", "name": "Annual plan", "term_months": 12, "renews": false,
		"prices": [{"currency": "USD", "amount_minor": 24900}]},
	{"id": "monthly-subscription", "name": "Monthly subscription", "term_months": 1, "renews": true,
		"prices": [{"currency": "USD", "amount_minor": 2900}]}
]}`

// usually is how many histories a test plays; make simulate plays more.
const usually = 6

// TestHistories plays histories from SIM_SEED on, SIM_N of them. A seed alone plays
// exactly its history again.
func TestHistories(t *testing.T) {
	first, n := number(t, "SIM_SEED", 1), number(t, "SIM_N", usually)
	file := filepath.Join(t.TempDir(), "plans.json")
	if err := os.WriteFile(file, []byte(plans), 0o600); err != nil {
		t.Fatal(err)
	}
	tally, began := simulation.NewTally(), time.Now()
	batches := batchesOf(first, n)
	left := make(chan seeds, len(batches))
	for _, b := range batches {
		left <- b
	}
	close(left)
	var workers sync.WaitGroup
	// They wait for each other's jobs, which live in real time: many fill two processors.
	for range number(t, "SIM_AT_ONCE", 6*runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for b := range left {
				t.Run("batch", func(t *testing.T) {
					stage := simulation.NewStage(t, file, tally)
					for seed := b.from; seed < b.to; seed++ {
						t.Run(fmt.Sprintf("SEED=%d", seed), func(t *testing.T) { stage.Play(t, simulation.NewPlan(seed)) })
					}
				})
			}
		})
	}
	done := make(chan struct{})
	var progress sync.WaitGroup
	progress.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(10 * time.Second):
				fmt.Println(tally.Progress(n, began))
			}
		}
	})
	workers.Wait()
	close(done)
	progress.Wait()
	tally.Table(os.Stdout)
	fmt.Printf("seeds %d to %d, %s\n", first, first+n-1, time.Since(began).Round(time.Second))
	for _, seed := range tally.Failed() {
		fmt.Printf("violated: make simulate SEED=%d\n", seed)
	}
	if missing := tally.Missing(); n >= enough && len(missing) > 0 {
		t.Errorf("in %d histories these never happened, so that nothing is shown about them: %q", n, missing)
	}
}

// seeds are those of one batch from one seed to before another.
type seeds struct{ from, to uint64 }

// batchesOf are the batches that n seeds fall into, those that take longest first: at
// the end, nothing else would be left to be played beside them.
func batchesOf(first, n int) (list []seeds) {
	end := uint64(first + n)
	for from := uint64(first); from < end; {
		to := min(simulation.FirstOf(from)+simulation.Batch, end)
		list = append(list, seeds{from, to})
		from = to
	}
	slices.SortStableFunc(list, func(a, b seeds) int {
		switch {
		case simulation.Renews(a.from) == simulation.Renews(b.from):
			return 0
		case simulation.Renews(a.from):
			return -1
		default:
			return 1
		}
	})
	return list
}

// enough histories meet everything.
const enough = 300

func number(t *testing.T, key string, usual int) int {
	t.Helper()
	set := os.Getenv(key)
	if set == "" {
		return usual
	}
	n, err := strconv.Atoi(set)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number of histories", key, set)
	}
	return n
}

// A seed makes one plan, whatever is drawn beside it.
func TestASeedIsOneHistory(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(200) {
		plan := simulation.NewPlan(seed).String()
		if again := simulation.NewPlan(seed).String(); again != plan {
			t.Fatalf("seed %d is\n%s\nand\n%s", seed, plan, again)
		}
		if seen[plan] {
			t.Errorf("seed %d repeats another", seed)
		}
		seen[plan] = true
	}
}
