package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"makegood.example/deploy/internal/stack"
)

// load is the name under which the bench itself takes time.
const load = "load"

// tick is the unit of /proc/<pid>/stat.
const tick = 10 * time.Millisecond

// processorTime is what each process of a stack has taken, its children included, and
// the bench itself; nothing where /proc does not say.
func processorTime(s *stack.Stack) map[string]time.Duration {
	all := stats()
	spent := map[string]time.Duration{}
	for _, name := range s.Names() {
		pid, err := s.PID(name)
		if err != nil {
			continue
		}
		for id, p := range all {
			switch {
			case id == pid:
				spent[name] += p.own + p.reaped
			case p.parent == pid: // a backend of PostgreSQL's
				spent[name] += p.own
			}
		}
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err == nil {
		spent[load] = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	}
	return spent
}

// between is what each has taken from one reading to another.
func between(before, after map[string]time.Duration) map[string]time.Duration {
	spent := map[string]time.Duration{}
	for name, total := range after {
		spent[name] = max(0, total-before[name])
	}
	return spent
}

func sum(spent map[string]time.Duration, names ...string) (total time.Duration) {
	for _, name := range names {
		total += spent[name]
	}
	return total
}

// stat is a process in /proc: what it has taken, and its children that have ended.
type stat struct {
	parent      int
	own, reaped time.Duration
}

func stats() map[int]stat {
	all := map[int]stat{}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return all
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// Its name may have spaces in it, and ends with the last bracket.
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(fields) < 15 {
			continue
		}
		number := func(at int) time.Duration {
			n, _ := strconv.ParseInt(fields[at], 10, 64)
			return time.Duration(n)
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		all[pid] = stat{parent: int(number(1)), own: (number(11) + number(12)) * tick, reaped: (number(13) + number(14)) * tick}
	}
	return all
}
