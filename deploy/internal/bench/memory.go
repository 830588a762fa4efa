package bench

import (
	"os/exec"
	"strconv"
	"strings"

	"makegood.example/deploy/internal/stack"
)

// measuredProcesses are those that every event passes through.
var measuredProcesses = []string{"gateway", "payments"}

// memory is what those processes hold resident, in bytes; zero where the
// system's ps does not say.
func memory(s *stack.Stack) (map[string]int64, error) {
	held := map[string]int64{}
	for _, name := range measuredProcesses {
		if _, err := s.PID(name); err != nil {
			return nil, err
		}
		held[name] = resident(s, name)
	}
	return held, nil
}

// resident is what one process holds; zero where ps does not say.
func resident(s *stack.Stack, name string) int64 {
	pid, err := s.PID(name)
	if err != nil {
		return 0
	}
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0
	}
	kilobytes, _ := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return kilobytes << 10
}
