package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"makegood.example/services/orders/internal/order"
)

// Metrics counts what Orders brought to an end. A nil one counts nothing.
type Metrics struct {
	settled   map[order.Event]prometheus.Counter
	completed map[order.Reason]prometheus.Counter
	access    prometheus.Histogram
}

// NewMetrics registers the counters; every series is there from the beginning.
func NewMetrics(r prometheus.Registerer) *Metrics {
	settled := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "makegood_orders_settled_total", Help: "Orders whose money was decided, by how.",
	}, []string{"as"})
	completed := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "makegood_orders_completed_total", Help: "Orders that gave access, by what finished them: the buyer's own request, or who recovered them.",
	}, []string{"by"})
	m := &Metrics{
		settled: map[order.Event]prometheus.Counter{}, completed: map[order.Reason]prometheus.Counter{},
		access: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "makegood_orders_charge_to_access_seconds", Help: "Time from Stripe's success to access, of each order that gave access.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 86400},
		}),
	}
	r.MustRegister(settled, completed, m.access)
	for event, as := range map[order.Event]string{order.Paid: "paid", order.Declined: "declined", order.Canceled: "canceled"} {
		m.settled[event] = settled.WithLabelValues(as)
	}
	for _, reason := range []order.Reason{order.Request, order.Rescue, order.Webhook, order.Reconciliation, order.Support} {
		m.completed[reason] = completed.WithLabelValues(string(reason))
	}
	return m
}

func (m *Metrics) settle(event order.Event) {
	if m == nil {
		return
	}
	if c := m.settled[event]; c != nil {
		c.Inc()
	}
}

// complete counts an order that gave access for a reason.
func (m *Metrics) complete(o order.Order, reason order.Reason) {
	if m == nil {
		return
	}
	if c := m.completed[reason]; c != nil {
		c.Inc()
	}
	if o.ChargedAt != nil && o.CompletedAt != nil {
		m.access.Observe(max(0, o.CompletedAt.Sub(*o.ChargedAt).Seconds()))
	}
}
