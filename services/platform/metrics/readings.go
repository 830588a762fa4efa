package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// readEvery is how often the database is asked at most, however many scrape.
	readEvery = 10 * time.Second
	// readTimeout bounds all questions of one scrape together.
	readTimeout = 3 * time.Second
)

// Reading is one question to the database and the gauges that its answer fills.
// The question must be answered from an index, whatever the table has grown to.
type Reading struct {
	// Labels name the first columns of a row, which are text with few values.
	Labels []string
	// Gauges are the columns after them. NULL leaves a gauge out.
	Gauges []Gauge
	// SQL may name $1, which is now.
	SQL string
}

// Gauge is a name, units last, and the question that it answers.
type Gauge struct{ Name, Help string }

// Look is work that rows carry: what it is called, and the table whose
// next_look_at says when. Where leaves rows out that are never looked at.
type Look struct{ Work, Table, Where string }

// Due reads how many rows are due and not yet in hand, and how late the first is.
func Due(looks ...Look) Reading {
	var each []string
	for _, l := range looks {
		where := ""
		if l.Where != "" {
			where = " AND " + l.Where
		}
		each = append(each, fmt.Sprintf(`SELECT '%s', count(*)::float8, coalesce(extract(epoch FROM $1::timestamptz - min(next_look_at)), 0)::float8
			FROM %s WHERE next_look_at <= $1%s`, l.Work, l.Table, where))
	}
	return Reading{
		Labels: []string{"work"},
		Gauges: []Gauge{
			{"makegood_due_rows", "Rows whose next look is due and that nobody has in hand, by work."},
			{"makegood_due_oldest_seconds", "How late the look is that is the latest, by work; 0 when none is due."},
		},
		SQL: strings.Join(each, " UNION ALL "),
	}
}

// Jobs reads the queue of River in a schema.
func Jobs(schema string) Reading {
	table, states := pgx.Identifier{schema, "river_job"}.Sanitize(), pgx.Identifier{schema, "river_job_state"}.Sanitize()
	return Reading{
		Labels: []string{"state"},
		Gauges: []Gauge{
			{"makegood_jobs", "Jobs that are not done, by state; discarded ones were given up."},
			{"makegood_jobs_oldest_seconds", "How long the oldest job of a state has been due; 0 when none is."},
		},
		SQL: `SELECT s.state::text, count(j.id)::float8, greatest(coalesce(extract(epoch FROM $1::timestamptz - min(j.scheduled_at)), 0), 0)::float8
			FROM unnest(ARRAY['available', 'running', 'retryable', 'scheduled', 'discarded']::` + states + `[]) AS s (state)
			LEFT JOIN ` + table + ` j ON j.state = s.state
			GROUP BY s.state`,
	}
}

// reader asks the readings' questions and remembers the answers for a while.
type reader struct {
	pool     *pgxpool.Pool
	now      func() time.Time
	log      *slog.Logger
	readings []Reading
	descs    map[string]*prometheus.Desc
	failed   *prometheus.Desc

	mu       sync.Mutex
	readAt   time.Time
	answers  []prometheus.Metric
	failures int
}

func newReader(pool *pgxpool.Pool, now func() time.Time, log *slog.Logger, readings []Reading) *reader {
	r := &reader{
		pool: pool, now: now, log: log, readings: readings, descs: map[string]*prometheus.Desc{},
		failed: prometheus.NewDesc("makegood_readings_failed_total", "Readings of gauges from the database that failed; their series are missing.", nil, nil),
	}
	for _, reading := range readings {
		for _, g := range reading.Gauges {
			r.descs[g.Name] = prometheus.NewDesc(g.Name, g.Help, reading.Labels, nil)
		}
	}
	return r
}

// Describe implements prometheus.Collector.
func (r *reader) Describe(ch chan<- *prometheus.Desc) {
	ch <- r.failed
	for _, d := range r.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (r *reader) Collect(ch chan<- prometheus.Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); now.Sub(r.readAt).Abs() >= readEvery {
		r.readAt = now
		r.readAll(now)
	}
	for _, m := range r.answers {
		ch <- m
	}
	ch <- prometheus.MustNewConstMetric(r.failed, prometheus.CounterValue, float64(r.failures))
}

func (r *reader) readAll(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	r.answers = r.answers[:0]
	for _, reading := range r.readings {
		read, err := r.read(ctx, reading, now)
		if err != nil {
			r.failures++
			r.log.Warn("a metric could not be read", "metric", reading.Gauges[0].Name, "error", err.Error())
			continue
		}
		r.answers = append(r.answers, read...)
	}
}

func (r *reader) read(ctx context.Context, reading Reading, now time.Time) ([]prometheus.Metric, error) {
	var args []any
	if strings.Contains(reading.SQL, "$1") {
		args = append(args, now)
	}
	rows, err := r.pool.Query(ctx, reading.SQL, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	labels, values := make([]string, len(reading.Labels)), make([]*float64, len(reading.Gauges))
	var into []any
	for i := range labels {
		into = append(into, &labels[i])
	}
	for i := range values {
		into = append(into, &values[i])
	}
	var read []prometheus.Metric
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for i, v := range values {
			if v != nil {
				read = append(read, prometheus.MustNewConstMetric(r.descs[reading.Gauges[i].Name], prometheus.GaugeValue, *v, labels...))
			}
		}
	}
	return read, rows.Err()
}
