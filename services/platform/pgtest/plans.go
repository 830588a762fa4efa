package pgtest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Plan is how PostgreSQL worked a statement.
type Plan struct {
	SQL string
	// ReadWhole are the tables that were read from one end to the other.
	ReadWhole []string
	// Rows is how many rows all steps of the plan looked at, also in vain.
	Rows float64
}

// Plans has a service do something and explains each statement that it ran, as the
// service's role, with the same arguments: what grows with a table's size shows in
// it on any machine. What the statements write is undone.
func (d *DB) Plans(t testing.TB, service string, do func(*pgxpool.Pool)) []Plan {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(d.URL(service))
	if err != nil {
		t.Fatal(err)
	}
	ran := &statements{}
	cfg.ConnConfig.Tracer = ran
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	do(pool)
	var plans []Plan
	for _, s := range ran.take() {
		plans = append(plans, explain(t, pool, s))
	}
	return plans
}

type statement struct {
	sql  string
	args []any
}

// statements remembers what was run.
type statements struct {
	mu  sync.Mutex
	all []statement
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, statement{q.SQL, q.Args})
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *statements) take() []statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]statement(nil), s.all...)
}

// step is a node of a plan.
type step struct {
	Kind     string  `json:"Node Type"`
	Table    string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Filtered float64 `json:"Rows Removed by Filter"`
	Plans    []step
}

func explain(t testing.TB, pool *pgxpool.Pool, s statement) Plan {
	t.Helper()
	switch s.sql {
	case "begin", "commit", "rollback":
		return Plan{SQL: s.sql}
	}
	ctx := t.Context()
	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	var raw []byte
	if err := tx.QueryRow(ctx, "EXPLAIN (ANALYZE, FORMAT JSON) "+s.sql, s.args...).Scan(&raw); err != nil {
		t.Fatalf("%s: %v", s.sql, err)
	}
	var explained []struct{ Plan step }
	if err := json.Unmarshal(raw, &explained); err != nil {
		t.Fatal(err)
	}
	p := Plan{SQL: s.sql}
	for _, e := range explained {
		p.add(e.Plan)
	}
	return p
}

func (p *Plan) add(s step) {
	p.Rows += (s.Rows + s.Filtered) * s.Loops
	if s.Kind == "Seq Scan" && s.Loops > 0 {
		p.ReadWhole = append(p.ReadWhole, s.Table)
	}
	for _, below := range s.Plans {
		p.add(below)
	}
}
