package upgradelab

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"makegood.example/deploy/internal/crashlab"
)

// settles is how long after the edge is ready people may take to find it.
const settles = 5 * time.Second

// answers are all that people got. A request may be told "not now" around the
// time in which the edge that it goes to is replaced; anything else that is no
// success was not to be.
type answers struct {
	mu      sync.Mutex
	number  int
	notNow  int
	bad     []crashlab.Answer
	windows []window
}

type window struct{ from, until time.Time }

func (a *answers) add(one crashlab.Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.number++
	if one.Status < 200 || one.Status >= 300 {
		a.bad = append(a.bad, one)
	}
}

// disturbed begins a time in which the edge is replaced; what it returns ends
// it.
func (a *answers) disturbed() (calm func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := len(a.windows)
	a.windows = append(a.windows, window{from: time.Now()})
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.windows[i].until = time.Now().Add(settles)
	}
}

// wrong are the answers since the last time that should not have been.
func (a *answers) wrong() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var wrong []string
	for _, one := range a.bad {
		if notNow(one) && a.around(one) {
			a.notNow++
			continue
		}
		wrong = append(wrong, fmt.Sprintf("%s %s was answered %d %v", one.Came.UTC().Format("15:04:05.000"), one.Request, one.Status, one.Err))
	}
	a.bad = nil
	return wrong
}

// notNow says whether an answer leaves what was asked as it was or unknown, and
// may be asked again.
func notNow(one crashlab.Answer) bool {
	switch one.Status {
	case 0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusNotFound: // an order whose request was told so
		return strings.HasPrefix(one.Request, "GET /v1/orders/")
	}
	return false
}

func (a *answers) around(one crashlab.Answer) bool {
	for _, w := range a.windows {
		if one.Came.After(w.from) && (w.until.IsZero() || one.Asked.Before(w.until)) {
			return true
		}
	}
	return false
}

func (a *answers) sum() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return fmt.Sprintf("%d requests were answered, %d of them with \"not now\" around the replacement of the edge", a.number, a.notNow)
}
