package pgtest

import (
	"context"
	"encoding/json"
	"fmt"
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
	// Rows is how many rows all steps of the plan looked at, also in vain. What an index
	// passes over to reach its first row is not among them.
	Rows float64
	// Pages is how many pages of tables and indexes were looked at, each as often as it was.
	Pages float64
}

// Grown are the statements that read more pages beside a long history than beside a
// short one: more than twice as many, because a longer index is deeper, and more than a
// few. Both histories have had the same done to them.
func Grown(t testing.TB, short, long []Plan) []string {
	t.Helper()
	if len(short) != len(long) {
		t.Fatalf("%d statements beside a short history, %d beside a long one", len(short), len(long))
	}
	var grown []string
	for i, p := range long {
		if p.SQL != short[i].SQL {
			t.Fatalf("beside a long history this is statement %d:\n%s\nbeside a short one:\n%s", i+1, p.SQL, short[i].SQL)
		}
		if p.Pages > 2*short[i].Pages+30 {
			grown = append(grown, fmt.Sprintf("%.0f pages instead of %.0f: %s", p.Pages, short[i].Pages, p.SQL))
		}
	}
	return grown
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
	Hit      float64 `json:"Shared Hit Blocks"`
	Read     float64 `json:"Shared Read Blocks"`
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
	if err := tx.QueryRow(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+s.sql, s.args...).Scan(&raw); err != nil {
		t.Fatalf("%s: %v", s.sql, err)
	}
	var explained []struct{ Plan step }
	if err := json.Unmarshal(raw, &explained); err != nil {
		t.Fatal(err)
	}
	p := Plan{SQL: s.sql}
	for _, e := range explained {
		p.add(e.Plan)
		p.Pages += e.Plan.Hit + e.Plan.Read // with those of the steps below
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
