package crashlab

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// run is one customer's way along a path, undisturbed or with one fault.
type run struct {
	path      string
	email     string
	reference uuid.UUID
	orderID   uuid.UUID
	began     time.Time

	setOut time.Time // when its path began
	// ready waits, once, until everybody in the wave is.
	ready func(context.Context) error

	mu     sync.Mutex
	phase  string // the path whose writes are recorded now; "" for none
	held   bool   // Stripe's webhooks do not get through
	known  map[string]bool
	keys   [][]byte // what names this customer in a statement
	lines  []line
	charge string
}

// ids makes the order's id of the reference, as a browser's retry after a restored
// backup relies on: it is part of what is promised.
var ids = uuid.MustParse("6f1d5f7e-6a3c-5d0e-9c36-0b8f2f2f6a51")

func newRun(path string, n int) *run {
	reference := uuid.New()
	r := &run{path: path, reference: reference, orderID: uuid.NewSHA1(ids, reference[:]), known: map[string]bool{}, began: time.Now(),
		email: fmt.Sprintf("%s-%d-%s@example.com", strings.ToLower(strings.ReplaceAll(path, " ", "-")), n, reference.String()[:4])}
	r.learn([]byte(r.email))
	r.learnUUID(r.reference)
	r.learnUUID(r.orderID)
	return r
}

func (r *run) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line{At: time.Now(), What: fmt.Sprintf(format, args...)})
}

func (r *run) struck(k kind, p point) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line{time.Now(), fmt.Sprintf("%s at %s", k, p), true})
}

// enter begins the part of the run that is recorded, or ends it.
func (r *run) enter(phase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = phase
}

// begin waits for the others, and then begins the path.
func (r *run) begin(ctx context.Context, path string) error {
	if err := r.ready(ctx); err != nil {
		return err
	}
	r.say("sets out")
	r.setOut = time.Now()
	r.enter(path)
	return nil
}

func (r *run) in() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phase
}

// hold keeps Stripe's webhooks away, as if they were late.
func (r *run) hold(held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = held
}

func (r *run) isHeld() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held
}

func (r *run) learn(key []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known[string(key)] {
		r.known[string(key)] = true
		r.keys = append(r.keys, bytes.Clone(key))
	}
}

func (r *run) learnUUID(id uuid.UUID) {
	r.learn(id[:])
	r.learn([]byte(id.String()))
}

// about says whether any of the values names this customer.
func (r *run) about(values [][]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range values {
		for _, k := range r.keys {
			if len(v) >= len(k) && bytes.Contains(v, k) {
				return true
			}
		}
	}
	return false
}

// associate takes over the ids that a statement about this customer alone was
// given: what names them there names them later, too.
func (r *run) associate(scalars [][]byte) {
	for _, v := range scalars {
		switch {
		case len(v) == 16 && binaryUUID(v):
			r.learnUUID(uuid.UUID(v))
		case len(v) == 36 && uuidText.Match(v):
			r.learnUUID(uuid.MustParse(string(v)))
		case len(v) < 100 && stripeIDs.Match(v) && !bytes.HasPrefix(v, []byte("pm_")):
			r.learn(v)
		}
	}
}

// binaryUUID tells an id from a text of sixteen letters.
func binaryUUID(v []byte) bool {
	if version := v[6] >> 4; version < 4 || version > 8 || v[8]>>6 != 2 {
		return false
	}
	for _, b := range v {
		if b < 0x20 || b > 0x7e {
			return true
		}
	}
	return false
}
