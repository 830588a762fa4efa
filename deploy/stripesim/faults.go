package stripesim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
)

// The modes of a fault. Before: the request is not executed. After: it was
// executed, and its result stored under its idempotency key.
const (
	errorBefore = "error_before" // answers with Status, nothing executed or stored
	hangBefore  = "hang_before"  // on its way to Stripe; executed when released, lost when the client goes away
	resetBefore = "reset_before"
	hangDuring  = "hang_during" // begun: its key is in use; executed when released, with or without the client
	hangAfter   = "hang_after"  // executed; the reply is held until released
	resetAfter  = "reset_after"
	errorAfter  = "error_after" // executed, but Stripe answers, and stores, a 500
	truncated   = "truncate"    // executed; the body ends after Truncate bytes
)

var faultModes = []string{errorBefore, hangBefore, resetBefore, hangDuring, hangAfter, resetAfter, errorAfter, truncated}

// fault is a rule that spoils matching requests. Faults live in memory only.
type fault struct {
	ID          string  `json:"id"`
	Method      string  `json:"method,omitempty"` // empty: any
	Path        string  `json:"path"`             // * stands for one segment
	Query       string  `json:"query,omitempty"`  // name=pattern of a parameter in the address, * stands for anything
	Mode        string  `json:"mode"`
	Skip        int     `json:"skip,omitempty"`        // matching requests that pass first
	Times       int     `json:"times"`                 // 0: for ever
	Probability float64 `json:"probability,omitempty"` // 0: always
	Status      int     `json:"status,omitempty"`      // of error_before; 500 by default
	Truncate    int     `json:"truncate,omitempty"`    // bytes; half of the body by default
	Hits        int     `json:"hits"`
	Skipped     int     `json:"skipped"`
	Held        int     `json:"held"` // requests that hang right now

	table    *faultTable
	released chan struct{}
}

// mode of the fault that struck, empty for none.
func (f *fault) mode() string {
	if f == nil {
		return ""
	}
	return f.Mode
}

// hold waits until the fault is removed, and reports false when the client or
// the simulator went away first.
func (f *fault) hold(client context.Context, closing <-chan struct{}) bool {
	f.count(1)
	defer f.count(-1)
	select {
	case <-f.released:
		return true
	case <-client.Done():
	case <-closing:
	}
	return false
}

func (f *fault) count(n int) {
	f.table.mu.Lock()
	defer f.table.mu.Unlock()
	f.Held += n
}

type faultTable struct {
	mu     sync.Mutex
	faults []*fault
}

func newFaultTable() *faultTable { return &faultTable{} }

func (t *faultTable) add(f *fault) error {
	if f.Truncate > 0 && f.Mode == "" {
		f.Mode = truncated
	}
	if !slices.Contains(faultModes, f.Mode) {
		return fmt.Errorf("mode must be one of %v", faultModes)
	}
	if _, err := path.Match(f.Path, "/"); err != nil || f.Path == "" {
		return errors.New("path must be a pattern such as /v1/payment_intents/*/confirm")
	}
	if name, pattern, ok := strings.Cut(f.Query, "="); f.Query != "" {
		if _, err := path.Match(pattern, ""); err != nil || !ok || name == "" {
			return errors.New("query must be like starting_after=*")
		}
	}
	if f.Skip < 0 || f.Truncate < 0 {
		return errors.New("skip and truncate must not be negative")
	}
	if f.Times < 0 || f.Probability < 0 || f.Probability > 1 {
		return errors.New("times must not be negative, probability is between 0 and 1")
	}
	if f.Status == 0 {
		f.Status = http.StatusInternalServerError
	}
	if f.Status < 400 || f.Status > 599 {
		return errors.New("status must be a 4xx or 5xx")
	}
	if f.ID == "" {
		f.ID = newID("fault_", 8)
	}
	f.Hits, f.Held, f.Skipped, f.table, f.released = 0, 0, 0, t, make(chan struct{})
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.ContainsFunc(t.faults, func(o *fault) bool { return o.ID == f.ID }) {
		return errors.New("there is a fault with this id")
	}
	t.faults = append(t.faults, f)
	return nil
}

type undisturbedKey struct{}

// Undisturbed is for requests that no fault may strike: those of the account's
// owner, in the process of the simulator, while faults wait for the shop's.
func Undisturbed(ctx context.Context) context.Context {
	return context.WithValue(ctx, undisturbedKey{}, true)
}

// take finds the first fault that strikes this request, and counts the hit.
func (t *faultTable) take(ctx context.Context, method string, at *url.URL) *fault {
	if ctx.Value(undisturbedKey{}) != nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.faults {
		matched, _ := path.Match(f.Path, at.Path) // the pattern was checked when it was added
		switch {
		case !matched || f.Method != "" && f.Method != method || !f.asks(at.Query()):
		case f.Times > 0 && f.Hits >= f.Times:
		case f.Skipped < f.Skip:
			f.Skipped++
		case f.Probability > 0 && rand.Float64() >= f.Probability:
		default:
			f.Hits++
			return f
		}
	}
	return nil
}

// asks reports whether the query has what the fault waits for.
func (f *fault) asks(query url.Values) bool {
	name, pattern, _ := strings.Cut(f.Query, "=")
	if name == "" {
		return true
	}
	matched, _ := path.Match(pattern, query.Get(name))
	return query.Has(name) && matched
}

// cut ends a body early.
func (f *fault) cut(body []byte) []byte {
	n := f.Truncate
	if n == 0 {
		n = len(body) / 2
	}
	return body[:min(n, len(body))]
}

// list copies the faults as they are now.
func (t *faultTable) list() []fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]fault, len(t.faults))
	for i, f := range t.faults {
		out[i] = *f
	}
	return out
}

// remove takes away one fault, or all for an empty id, and releases the
// requests they hold. It reports whether there was any.
func (t *faultTable) remove(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.faults)
	t.faults = slices.DeleteFunc(t.faults, func(f *fault) bool {
		if id != "" && f.ID != id {
			return false
		}
		close(f.released)
		return true
	})
	return len(t.faults) < before
}
