package store_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pgtest"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/store"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, migrate.Schema{Name: "reconciliation", FS: store.Migrations()})
}

// BenchmarkDispositions decides about charges and keeps what was decided: a page
// of 100 in one statement, by one worker and by four, beside one statement for
// each charge, in one run; and the same with 1.2 ms more for each statement, as
// from another machine. The ratios are what counts. CHARGES says how many there
// are (20,000); of those, one in a thousand is an orphan.
func BenchmarkDispositions(b *testing.B) {
	n := 20_000
	if v, err := strconv.Atoi(os.Getenv("CHARGES")); err == nil {
		n = v
	}
	for _, away := range []time.Duration{0, 1200 * time.Microsecond} {
		b.Run(fmt.Sprintf("away=%s", away), func(b *testing.B) {
			for b.Loop() {
				byRow := n / 10 // it is so much slower that a tenth says enough
				row := rate(b, away, byRow, 1, 1)
				one := rate(b, away, n, 100, 1)
				four := rate(b, away, n, 100, 4)
				b.ReportMetric(row, "row/s")
				b.ReportMetric(one, "page1/s")
				b.ReportMetric(four, "page4/s")
				b.ReportMetric(one/row, "x1")
				b.ReportMetric(four/row, "x4")
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.Sys)/(1<<20), "MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// rate is how many charges a second are decided about and kept, on an empty table.
func rate(b *testing.B, away time.Duration, n, page, workers int) float64 {
	b.Helper()
	cfg, err := pgxpool.ParseConfig(pgtest.New(b).URL("reconciliation"))
	if err != nil {
		b.Fatal(err)
	}
	cfg.ConnConfig.Tracer = farAway(away)
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	s, now := store.New(pool), time.Now().UTC().Truncate(time.Microsecond)
	pages := make(chan int)
	var all sync.WaitGroup
	began := time.Now()
	for range workers {
		all.Go(func() {
			for from := range pages {
				if err := keepPage(b.Context(), s, from, min(page, n-from), now); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for from := 0; from < n; from += page {
		pages <- from
	}
	close(pages)
	all.Wait()
	return float64(n) / time.Since(began).Seconds()
}

// keepPage is what a sweep does with a page once it is matched.
func keepPage(ctx context.Context, s *store.Store, from, n int, now time.Time) error {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("ch_%024d", from+i)
	}
	if _, err := s.Dispositions(ctx, ids); err != nil {
		return err
	}
	keep := make([]store.Recorded, n)
	for i, id := range ids {
		c := disposition.Charge{
			ID: id, IntentID: "pi_" + id, CustomerID: "cus_1", Status: disposition.Succeeded, Captured: true, AmountMinor: 24900, Currency: "USD",
			CreatedAt: now.Add(-time.Duration(from+i) * time.Second), Owner: disposition.Ours, OwnerReason: "its mark", Recorded: true,
		}
		f := disposition.Facts{Charge: c}
		if (from+i)%1000 != 0 {
			order := uuid.NewSHA1(uuid.Nil, []byte(id)).String()
			f.Order = &disposition.Order{ID: order, State: "COMPLETE", PaidBy: id, AmountMinor: 24900, Currency: "USD", CompletedAt: c.CreatedAt}
			f.Grant = &disposition.Grant{}
		}
		keep[i] = store.Recorded{Charge: c, Decision: disposition.Decide(f), AccessAt: c.CreatedAt, ReadAgainAt: now}
	}
	return s.SaveDispositions(ctx, 1, now, keep)
}

// farAway lets each statement take longer.
type farAway time.Duration

func (d farAway) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	time.Sleep(time.Duration(d))
	return ctx
}

func (farAway) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
