package simulation

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// Tally adds up what many histories met.
type Tally struct {
	mu        sync.Mutex
	histories int
	steps     int
	wished    map[Kind]int
	hit       map[Kind]int
	done      map[Happening]int
	failed    []uint64
}

// NewTally is empty.
func NewTally() *Tally {
	return &Tally{wished: map[Kind]int{}, hit: map[Kind]int{}, done: map[Happening]int{}}
}

func (t *Tally) played(seed uint64, well bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.histories++
	if !well {
		t.failed = append(t.failed, seed)
	}
}

func (t *Tally) step() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps++
}

func (t *Tally) ordered(k Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wished[k]++
}

func (t *Tally) struck(k Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hit[k]++
}

func (t *Tally) happened(x Happening) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done[x]++
}

// Progress is a line about how far it is.
func (t *Tally) Progress(of int, began time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := fmt.Sprintf("%d of %d histories, %s, %d violated", t.histories, of, time.Since(began).Round(time.Second), len(t.failed))
	if len(t.failed) > 0 {
		text += fmt.Sprintf(": SEED=%v", t.failed)
	}
	return text
}

// Failed are the seeds of the histories that violated something, in their order.
func (t *Tally) Failed() []uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(slices.Values(t.failed))
}

// Missing names what never happened: a kind of fault that never struck shows nothing.
func (t *Tally) Missing() (missing []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range kinds {
		if t.hit[k] == 0 {
			missing = append(missing, string(k))
		}
	}
	for _, x := range happenings {
		if t.done[x] == 0 {
			missing = append(missing, string(x))
		}
	}
	return missing
}

// Table writes everything, for people.
func (t *Tally) Table(out io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what happened\ttimes")
	for _, x := range happenings {
		fmt.Fprintf(w, "%s\t%d\n", x, t.done[x])
	}
	fmt.Fprintln(w, "\nwhat went wrong\ttimes\tordered")
	faults := 0
	for _, k := range kinds {
		ordered := "by chance"
		if n := t.wished[k]; n > 0 {
			ordered = fmt.Sprint(n)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\n", k, t.hit[k], ordered)
		faults += t.hit[k]
	}
	fmt.Fprintf(w, "\n%d histories, %d steps, %d faults, %d violated\n", t.histories, t.steps, faults, len(t.failed))
	_ = w.Flush() // to a terminal; what is lost there is not told
}
