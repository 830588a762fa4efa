package metrics

import (
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// poolStats tells how a pool of database connections is used.
type poolStats struct {
	pool *pgxpool.Pool

	connections, most, acquired, waited, waitSeconds *prometheus.Desc
}

func newPoolStats(pool *pgxpool.Pool) *poolStats {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("makegood_db_"+name, help, labels, nil)
	}
	return &poolStats{
		pool:        pool,
		connections: desc("connections", "Connections to the database now, by use.", "state"),
		most:        desc("connections_max", "Connections that there may be."),
		acquired:    desc("acquires_total", "How often a connection was taken."),
		waited:      desc("acquires_waited_total", "How often one had to be waited for."),
		waitSeconds: desc("acquire_seconds_total", "How long it took to get connections, altogether."),
	}
}

// Describe implements prometheus.Collector.
func (p *poolStats) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.connections, p.most, p.acquired, p.waited, p.waitSeconds} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (p *poolStats) Collect(ch chan<- prometheus.Metric) {
	stat := p.pool.Stat()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	gauge(p.connections, float64(stat.AcquiredConns()), "in_use")
	gauge(p.connections, float64(stat.IdleConns()), "idle")
	gauge(p.connections, float64(stat.ConstructingConns()), "opening")
	gauge(p.most, float64(stat.MaxConns()))
	counter(p.acquired, float64(stat.AcquireCount()))
	counter(p.waited, float64(stat.EmptyAcquireCount()))
	counter(p.waitSeconds, stat.AcquireDuration().Seconds())
}
