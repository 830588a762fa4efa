package console

import (
	"sync"
	"time"
)

// So many wrong tokens may come from one address within a time. Tokens cannot be
// guessed anyhow; this keeps those who try from costing anything.
const (
	attemptsAllowed = 10
	attemptsWithin  = 5 * time.Minute
	// attemptsKept bounds the addresses that are remembered.
	attemptsKept = 10_000
)

// attempts counts wrong tokens by address. It is each process's own, and forgotten
// with it.
type attempts struct {
	now    func() time.Time
	mu     sync.Mutex
	failed map[string][]time.Time
}

// wait is how long an address must wait; zero when it may try.
func (a *attempts) wait(from string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	recent := a.recent(from)
	if len(recent) < attemptsAllowed {
		return 0
	}
	return recent[0].Add(attemptsWithin).Sub(a.now())
}

// fail counts one wrong token.
func (a *attempts) fail(from string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.failed) >= attemptsKept {
		clear(a.failed)
	}
	a.failed[from] = append(a.recent(from), a.now())
}

func (a *attempts) recent(from string) []time.Time {
	times := a.failed[from]
	for len(times) > 0 && a.now().Sub(times[0]) >= attemptsWithin {
		times = times[1:]
	}
	if len(times) == 0 {
		delete(a.failed, from)
	} else {
		a.failed[from] = times
	}
	return times
}
