package crashlab

import (
	"cmp"
	"strings"
	"time"
)

// kind is what goes wrong.
type kind string

// The kinds of faults. Those that come "after" need something durable.
const (
	anError       kind = "error"
	serialization kind = "serialization failure"
	lostBefore    kind = "connection lost"
	lostAfter     kind = "connection lost, answer withheld"
	killBefore    kind = "kill -9, not durable"
	killAfter     kind = "kill -9, durable, not known"
)

// within are the faults inside a transaction, ending those of what makes durable.
var (
	within = []kind{anError, serialization, lostBefore, killBefore}
	ending = []kind{anError, serialization, lostBefore, lostAfter, killBefore, killAfter}
)

func (k kind) kills() bool { return k == killBefore || k == killAfter }

// sqlstate is what PostgreSQL says: an I/O error, or that it may be tried again.
func (k kind) sqlstate() string {
	if k == serialization {
		return "40001"
	}
	return "58030"
}

// fault is one that was ordered.
type fault struct {
	kind   kind
	moment moment
	// kill returns when the service is dead.
	kill func()
	// struck is told when it has happened.
	struck func()
}

// point is a moment that the lab found: on this path, this service, these writes.
type point struct {
	path    string
	service string
	what    string // the writes, by name and step
	tables  string
	durable bool
	commit  bool
}

// background is the path of writes that are about nobody.
const background = "by itself"

// byTheClock are words of which the time that passed chooses one: the same step, the
// same statements, and on a busy machine the second more often than the first.
var byTheClock = map[string]string{"RECOVERED": "COMPLETE", "RECOVERY": "CONFIRMATION"}

// pointOf names a moment. The same statements twice in a transaction are one step.
func pointOf(path string, m moment) point {
	var names, tables []string
	for _, w := range m.writes {
		name := w.name
		var steps []string
		for _, s := range w.states {
			steps = append(steps, cmp.Or(byTheClock[s], s))
		}
		if len(steps) > 0 {
			name += "(" + strings.Join(steps, " ") + ")"
		}
		if !contains(names, name) {
			names = append(names, name)
		}
		for _, op := range w.ops {
			if !contains(tables, op) {
				tables = append(tables, op)
			}
		}
	}
	return point{path: path, service: m.service, what: strings.Join(names, " + "), tables: strings.Join(tables, ", "), durable: m.durable, commit: m.commit}
}

func (p point) faults() []kind {
	if p.durable {
		return ending
	}
	return within
}

func (p point) String() string {
	moment := "in a transaction"
	switch {
	case p.commit:
		moment = "at the commit"
	case p.durable:
		moment = "by itself durable"
	}
	return p.path + ": " + p.service + " " + p.what + " [" + p.tables + "], " + moment
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// line is what happened in a run, for its timeline.
type line struct {
	At   time.Time
	What string
	// Fault: it is the fault itself.
	Fault bool
}
