package stripegw

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"makegood.example/services/platform/tracing"
)

// Metrics counts requests to Stripe. A nil one counts nothing.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewMetrics registers the counters.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "makegood_stripe_requests_total", Help: "Requests to Stripe, each try, by kind of object, HTTP method and status; 0 is no answer.",
		}, []string{"object", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "makegood_stripe_seconds", Help: "How long requests to Stripe took, by kind of object and HTTP method.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}, []string{"object", "method"}),
	}
	r.MustRegister(m.requests, m.seconds)
	return m
}

// measured is a transport whose requests are counted.
type measured struct {
	*Metrics
	next http.RoundTripper
}

func (m *Metrics) around(next http.RoundTripper) http.RoundTripper {
	if m == nil {
		return next
	}
	return measured{m, next}
}

// RoundTrip implements http.RoundTripper.
func (m measured) RoundTrip(req *http.Request) (*http.Response, error) {
	object, began, status := objectOf(req.URL.Path), time.Now(), 0
	_, span := tracing.Begin(req.Context(), "stripe "+req.Method+" "+object, trace.SpanKindClient)
	resp, err := m.next.RoundTrip(req)
	if err == nil {
		status = resp.StatusCode
	}
	tell(span, status)
	m.seconds.WithLabelValues(object, req.Method).Observe(time.Since(began).Seconds())
	m.requests.WithLabelValues(object, req.Method, strconv.Itoa(status)).Inc()
	return resp, err
}

// tell ends the span of a request, with nothing of what was said but the status. What
// Stripe did not say is unknown, and not failed; what it refused, it answered.
func tell(span trace.Span, status int) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	switch {
	case status == 0:
		span.SetStatus(codes.Error, "no answer: it is not known whether this was done")
	case status == http.StatusConflict, status == http.StatusTooManyRequests, status >= 500:
		span.SetStatus(codes.Error, "no definite word: it is not known whether this was done")
	}
	span.End()
}

// objectOf is the kind of object in a path such as /v1/charges/ch_x: the only
// part of it that is the same for everyone.
func objectOf(path string) string {
	_, rest, ok := strings.Cut(path, "/v1/")
	if !ok {
		return "other"
	}
	object, more, _ := strings.Cut(rest, "/")
	if object == "checkout" {
		sub, _, _ := strings.Cut(more, "/")
		object += "/" + sub
	}
	return object
}
