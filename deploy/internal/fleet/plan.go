package fleet

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// kind is what is done to the fleet.
type kind string

const (
	killed     kind = "kill -9"
	stopped    kind = "stopped for 45 s"
	databaseUp kind = "PostgreSQL restarted at once"
	latency    kind = "latency"
	reset      kind = "connections reset"
	halfOpen   kind = "half open: asked, and no answer comes back"
	partition  kind = "cut off from everybody"
	rolling    kind = "rolling restart"
)

// kinds are all of them: a run in which one did not happen has failed.
var kinds = []kind{rolling, killed, stopped, databaseUp, latency, reset, halfOpen, partition}

// fault is one thing that will be done.
type fault struct {
	kind   kind
	target string // a process
	// at is from the beginning of the faults, lasts until its end; a kill lasts no time.
	at, lasts time.Duration
}

func (f fault) String() string {
	if f.kind == databaseUp {
		return string(f.kind)
	}
	return fmt.Sprintf("%s: %s", f.target, f.kind)
}

// How long what lasts does. A cut is longer than gRPC needs to notice it.
const (
	stopLasts  = 45 * time.Second
	stopsApart = 60 * time.Second
)

var networkLasts = map[kind]time.Duration{latency: 6 * time.Second, reset: 4 * time.Second, halfOpen: 10 * time.Second, partition: 16 * time.Second}

// restarts is how often PostgreSQL is restarted.
const restarts = 2

// plan is what happens in this time to a fleet of n replicas of each program: the
// same for the same seed. What is stopped or cut off is not killed meanwhile, so
// that each shows its own; everything else falls together as chance has it.
func plan(seed uint64, length time.Duration, programs []string, n int) (faults []fault) {
	random := rand.New(rand.NewPCG(seed, 0))
	one := func(of []string) string {
		program := of[random.IntN(len(of))]
		if i := random.IntN(n); i > 0 {
			return fmt.Sprintf("%s-%d", program, i+1)
		}
		return program
	}
	// Who is stopped first holds money in hand: there it must be shown that waking up
	// does no harm.
	of := []string{"orders", "payments"}
	for at := time.Duration(0); at+stopLasts <= length; at += stopsApart {
		faults = append(faults, fault{stopped, one(of), at, stopLasts})
		of = programs
	}
	for i := range restarts {
		share := length / (restarts + 1)
		faults = append(faults, fault{kind: databaseUp, at: share*time.Duration(i+1) + between(random, -share/8, share/8)})
	}
	services := slices.DeleteFunc(slices.Clone(programs), func(p string) bool { return p == "gateway" })
	for at := time.Second; ; {
		round := []kind{latency, reset, halfOpen, partition}
		random.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
		for _, k := range round {
			faults = append(faults, fault{k, other(faults, at, networkLasts[k], func() string { return one(services) }), at, networkLasts[k]})
			at += networkLasts[k] + between(random, time.Second, 3*time.Second)
		}
		if at+45*time.Second > length {
			break
		}
	}
	for at := 2 * time.Second; at < length-5*time.Second; at += between(random, 3*time.Second, 6*time.Second) {
		faults = append(faults, fault{killed, other(faults, at, killApart, func() string { return one(programs) }), at, 0})
	}
	slices.SortStableFunc(faults, func(a, b fault) int { return cmp.Compare(a.at, b.at) })
	return faults
}

// killApart is how long a killed process is left alone.
const killApart = 12 * time.Second

// other draws until it is somebody to whom nothing else happens in that time.
func other(faults []fault, at, lasts time.Duration, draw func() string) string {
	for {
		target := draw()
		if !slices.ContainsFunc(faults, func(f fault) bool {
			return f.target == target && f.at < at+lasts+time.Second && at < f.at+max(f.lasts, killApart)+time.Second
		}) {
			return target
		}
	}
}

func between(random *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(random.Int64N(int64(to-from)))
}

// programOf is the program that a process runs.
func programOf(process string) string {
	program, _, _ := strings.Cut(process, "-")
	return program
}
