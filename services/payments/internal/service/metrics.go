package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"makegood.example/services/payments/internal/store"
)

// Who begins a handling of an event.
const (
	byDelivery = "delivery"
	byRetry    = "retry"
)

// Metrics counts what becomes of events. A nil one counts nothing.
type Metrics struct {
	begun    map[string]prometheus.Counter
	handled  map[handling]prometheus.Counter
	resolved map[resolution]prometheus.Counter
	refused  prometheus.Counter
	bodies   prometheus.Counter
}

type handling struct{ class, status string }

type resolution struct {
	method string
	live   bool
}

// NewMetrics registers the counters; every series is there from the beginning.
func NewMetrics(r prometheus.Registerer) *Metrics {
	begun := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "makegood_ledger_attempts_total", Help: "Handlings of events begun, by Stripe's deliveries or by our own retries.",
	}, []string{"by"})
	handled := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "makegood_ledger_handlings_total", Help: "Handlings of events that ended, by the class of the type and the status; RECEIVED is not yet, FAILED not yet at the cap.",
	}, []string{"class", "status"})
	resolved := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "makegood_ledger_resolutions_total", Help: "Events that ended with somebody found whom they are for, by how and livemode.",
	}, []string{"method", "livemode"})
	m := &Metrics{begun: map[string]prometheus.Counter{}, handled: map[handling]prometheus.Counter{}, resolved: map[resolution]prometheus.Counter{},
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "makegood_ledger_refused_total", Help: "Deliveries without a valid signature, of which nothing is kept.",
		}),
		bodies: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "makegood_ledger_bodies_moved_total", Help: "Bodies of events at rest that left the ledger's rows, for their month or for good.",
		})}
	r.MustRegister(begun, handled, resolved, m.refused, m.bodies)
	for _, by := range []string{byDelivery, byRetry} {
		m.begun[by] = begun.WithLabelValues(by)
	}
	for _, class := range classes {
		for _, status := range []string{store.Received, store.Processed, store.Ignored, store.Orphaned, store.Failed, store.Quarantined} {
			m.handled[handling{class, status}] = handled.WithLabelValues(class, status)
		}
	}
	for _, method := range []string{
		"checkout_session", "charge", "payment_intent", "subscription", byReference, byMetadata, byCustomer, byEmail, otherMethod,
	} {
		m.resolved[resolution{method, true}] = resolved.WithLabelValues(method, "true")
		m.resolved[resolution{method, false}] = resolved.WithLabelValues(method, "false")
	}
	return m
}

// otherMethod is where a method is counted that is not in the list above.
const otherMethod = "other"

// classes are the event types by what they bring; all from which nothing
// follows are one.
var classes = []string{"payment", "refund_or_dispute", "checkout", "subscription", "invoice", "customer", "other"}

func class(eventType string) string {
	switch kinds[eventType] {
	case intentPaid, intentChanged, intentCanceled, chargePaid:
		return "payment"
	case chargeChanged:
		return "refund_or_dispute"
	case checkoutCompleted, checkoutOver:
		return "checkout"
	case subscriptionChanged, subscriptionDeleted:
		return "subscription"
	case invoiceChanged:
		return "invoice"
	case customerDeleted:
		return "customer"
	default:
		return "other"
	}
}

func (m *Metrics) begin(by string) {
	if m != nil {
		m.begun[by].Inc()
	}
}

func (m *Metrics) refuse() {
	if m != nil {
		m.refused.Inc()
	}
}

func (m *Metrics) moveBodies(n int64) {
	if m != nil {
		m.bodies.Add(float64(n))
	}
}

// end counts a handling that ended.
func (m *Metrics) end(eventType string, live bool, status, method string) {
	if m == nil {
		return
	}
	m.handled[handling{class(eventType), status}].Inc()
	if method == "" {
		return
	}
	found, known := m.resolved[resolution{method, live}]
	if !known {
		found = m.resolved[resolution{otherMethod, live}]
	}
	found.Inc()
}
