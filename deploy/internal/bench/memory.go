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
		pid, err := s.PID(name)
		if err != nil {
			return nil, err
		}
		out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
		if err != nil {
			continue
		}
		kilobytes, _ := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		held[name] = kilobytes << 10
	}
	return held, nil
}
