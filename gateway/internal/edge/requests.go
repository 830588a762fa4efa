package edge

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requestSeconds reaches from a static page to the longest call, an admin's.
var requestSeconds = []float64{.0025, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// Requests counts what a listener answers, by route; there are as many routes
// as patterns, whatever a client asks for. A nil one counts nothing.
type Requests struct {
	answered *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewRequests registers the counters, shared by all listeners.
func NewRequests(r prometheus.Registerer) *Requests {
	m := &Requests{
		answered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "makegood_http_requests_total", Help: "Requests answered, by route and HTTP status; 0 is a client that left before.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "makegood_http_seconds", Help: "How long requests took, by route; streams of events until they ended.", Buckets: requestSeconds,
		}, []string{"route"}),
	}
	r.MustRegister(m.answered, m.seconds)
	return m
}

func (m *Requests) count(route string, status int, took time.Duration) {
	if m == nil {
		return
	}
	m.answered.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}
