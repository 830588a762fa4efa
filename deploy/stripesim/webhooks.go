package stripesim

import (
	"math/rand/v2"
	"time"
)

// Delivery is the sending of one event to one endpoint, with its retries. It is
// journaled: what was not delivered before a restart is delivered after it.
type Delivery struct {
	Header
	EventID    string `json:"event_id"`
	EventType  string `json:"event_type"`
	Endpoint   int    `json:"endpoint"` // index among the endpoints, whose addresses may change
	State      string `json:"state"`
	Attempts   int    `json:"attempts"`
	LastStatus int    `json:"last_status"` // 0: no answer
	LastError  string `json:"last_error,omitempty"`
	NextAtMS   int64  `json:"next_at_ms"` // real time, Unix milliseconds
	// Body is what is sent when it is in another API version than the event.
	Body string `json:"body,omitempty"`
}

// The states of a delivery.
const (
	deliveryPending   = "pending"
	deliveryDelivered = "delivered"
	deliveryDropped   = "dropped" // never sent, as if lost
	deliveryGivenUp   = "given_up"
)

const (
	deliveryTimeout     = 10 * time.Second
	deliveryAttemptsMax = 64
	retryWaitMax        = time.Minute
	maxSending          = 32
)

// webhookSettings are changed by the controls and live in memory.
type webhookSettings struct {
	Paused          bool       `json:"paused"`
	Drop            bool       `json:"drop"`
	DropProbability float64    `json:"drop_probability"`
	Duplicate       int        `json:"duplicate"` // extra copies of every event
	DelayMS         int64      `json:"delay_ms"`
	Reorder         bool       `json:"reorder"`  // shuffles within delay_ms, at least 200 ms
	RetryMS         int64      `json:"retry_ms"` // before the first repeat, doubled for each
	RetryMaxMS      int64      `json:"retry_max_ms"`
	APIVersion      string     `json:"api_version"` // the shape of what is delivered
	Endpoints       []Endpoint `json:"endpoints"`
}

const reorderWindowMin = 200 * time.Millisecond

// pendingDelivery is a delivery that still has to be made, with its mode.
type pendingDelivery struct {
	w *world
	d *Delivery
}

// schedule makes the deliveries of a new event.
func (t *tx) schedule(ev *Event) {
	h := t.s.hooks
	other := t.w.inVersion(ev, h.APIVersion)
	for endpoint := range h.Endpoints {
		for range 1 + h.Duplicate {
			d := &Delivery{Header: t.header("whd_", "webhook_delivery", 24), EventID: ev.ID, EventType: ev.Type, Endpoint: endpoint, State: deliveryPending, Body: other}
			wait := time.Duration(h.DelayMS) * time.Millisecond
			if h.Reorder {
				wait = rand.N(max(wait, reorderWindowMin))
			}
			d.NextAtMS = time.Now().Add(wait).UnixMilli()
			if h.Drop || h.DropProbability > 0 && rand.Float64() < h.DropProbability {
				d.State = deliveryDropped
			} else {
				t.s.pending[d.ID] = &pendingDelivery{t.w, d}
			}
			save(t, t.w.deliveries, d)
		}
	}
}

// inVersion is the body of an event in another version; empty for our own.
func (w *world) inVersion(ev *Event, version string) string {
	if version == APIVersion {
		return ""
	}
	body, err := w.rendered(ev, version)
	if err != nil {
		panic(err) // our own types always render
	}
	return string(body)
}

func (s *Server) resumeDeliveries() {
	for _, w := range s.worlds {
		for _, d := range w.deliveries.ordered {
			if d.State == deliveryPending {
				s.pending[d.ID] = &pendingDelivery{w, d}
			}
		}
	}
}
