package fleet

import (
	"slices"
	"testing"
	"time"
)

// Whatever the seed, everything happens, in time, and to nobody while something else
// is meant for them.
func TestEveryPlanHasEverything(t *testing.T) {
	for seed := range uint64(300) {
		for _, length := range []time.Duration{Least, 5 * time.Minute} {
			faults := plan(seed, length, programs, 3)
			if !slices.Equal(faults, plan(seed, length, programs, 3)) {
				t.Fatalf("seed %d plans twice in two ways", seed)
			}
			count := map[kind]int{}
			for _, f := range faults {
				count[f.kind]++
				if f.at < 0 || f.at+f.lasts > length+5*time.Second {
					t.Errorf("seed %d, %s: %s at %s", seed, length, f, f.at)
				}
				for _, g := range faults {
					if g != f && g.target == f.target && f.kind == killed && g.at <= f.at && f.at < g.at+g.lasts {
						t.Errorf("seed %d: %s is killed while it is %s", seed, f.target, g.kind)
					}
				}
			}
			for _, k := range kinds[1:] {
				if count[k] == 0 {
					t.Errorf("seed %d, %s: no %s", seed, length, k)
				}
			}
			if count[databaseUp] != restarts || count[killed] < 5 {
				t.Errorf("seed %d, %s: %v", seed, length, count)
			}
		}
	}
}
