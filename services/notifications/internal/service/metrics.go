package service

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"makegood.example/services/notifications/internal/message"
)

// Metrics counts messages that came to rest. A nil one counts nothing.
type Metrics struct {
	rested *prometheus.CounterVec
	failed prometheus.Counter
	sent   prometheus.Histogram
	alerts *prometheus.CounterVec
}

// NewMetrics registers the counters.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		rested: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "makegood_messages_total", Help: "Messages that came to rest, by kind and state.",
		}, []string{"kind", "state"}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "makegood_message_attempts_failed_total", Help: "Attempts to deliver a message that failed and are made again.",
		}),
		sent: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "makegood_messages_sent_seconds", Help: "Time from a message's acceptance to the mail server's, of each that was sent.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400},
		}),
	}
	m.alerts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "makegood_alerts_total", Help: "Attempts to tell the team something, by channel and outcome.",
	}, []string{"channel", "outcome"})
	r.MustRegister(m.rested, m.failed, m.sent, m.alerts)
	// The mail of every purchase is told from the beginning.
	for _, state := range []message.State{message.Sent, message.Failed, message.Superseded} {
		m.rested.WithLabelValues(string(message.Confirmation), string(state))
	}
	for _, outcome := range []string{"told", "failed"} {
		m.alerts.WithLabelValues("mail", outcome)
	}
	return m
}

func (m *Metrics) rest(msg message.Message, state message.State, now time.Time) {
	if m == nil {
		return
	}
	m.rested.WithLabelValues(string(msg.Kind), string(state)).Inc()
	if state == message.Sent {
		m.sent.Observe(max(0, now.Sub(msg.CreatedAt).Seconds()))
	}
}

func (m *Metrics) fail() {
	if m != nil {
		m.failed.Inc()
	}
}

// told counts an attempt to tell the team something.
func (m *Metrics) told(channel string, ok bool) {
	if m == nil {
		return
	}
	outcome := "told"
	if !ok {
		outcome = "failed"
	}
	m.alerts.WithLabelValues(channel, outcome).Inc()
}
