package inbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Faults is what tests may ask of the inbox: to misbehave in the ways of real
// mail servers. The zero value is a server that works.
type Faults struct {
	// Refuse is "" or "permanent" (550) or "temporary" (451), at RCPT TO.
	Refuse string `json:"refuse"`
	// HangAfterData keeps the mail, then holds the 250 until the faults change.
	HangAfterData bool `json:"hang_after_data"`
	// DropAfterData keeps the mail, then closes the connection instead of saying 250.
	DropAfterData bool `json:"drop_after_data"`
	// To limits the faults to recipients with this address; empty means all.
	To string `json:"to,omitempty"`
	// Times limits the faults to that many deliveries; 0 means until changed.
	Times int `json:"times,omitempty"`
}

func (f Faults) validate() error {
	if !slices.Contains([]string{"", "permanent", "temporary"}, f.Refuse) {
		return fmt.Errorf("refuse is %q; it may be \"\", \"permanent\" or \"temporary\"", f.Refuse)
	}
	if f.Times < 0 {
		return fmt.Errorf("times is %d; it may not be negative", f.Times)
	}
	return nil
}

// faults holds the asked misbehaviour and the deliveries it is holding.
type faults struct {
	mu      sync.Mutex
	now     Faults
	held    int
	changed chan struct{} // closed when the faults change
	closed  bool
}

func newFaults() *faults { return &faults{changed: make(chan struct{})} }

// set replaces the faults and lets every held delivery go.
func (f *faults) set(next Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.now = next
	close(f.changed)
	f.changed = make(chan struct{})
}

// close lets every held delivery go, for good.
func (f *faults) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		f.now = Faults{}
		close(f.changed)
	}
}

// take says what happens to a delivery to this recipient, and counts it.
func (f *faults) take(to string) Faults {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now.To != "" && !strings.EqualFold(f.now.To, to) {
		return Faults{}
	}
	taken := f.now
	if f.now.Times > 0 {
		if f.now.Times--; f.now.Times == 0 {
			f.now = Faults{}
		}
	}
	return taken
}

// hold blocks until the faults change.
func (f *faults) hold() {
	f.mu.Lock()
	changed := f.changed
	f.held++
	f.mu.Unlock()
	<-changed
	f.mu.Lock()
	f.held--
	f.mu.Unlock()
}

// status is the faults in force and how many deliveries wait for their 250.
func (f *faults) status() (Faults, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now, f.held
}
