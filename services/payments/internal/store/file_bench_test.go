package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"makegood.example/services/payments/internal/webhook"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/postgres"
)

// What sharing commits is worth, next to one commit for each event, on a server
// that keeps what it commits. BENCH_PRELOAD names a library that this server is
// started with, such as one that makes its disk slower.
func BenchmarkSharedCommits(b *testing.B) {
	s := durable(b)
	rounds, lasts := 20, 150*time.Millisecond
	if testing.Short() { // shows that it can be measured
		rounds, lasts = 1, 20*time.Millisecond
	}
	for _, clients := range []int{1, 8, 32, 128} {
		b.Run(fmt.Sprintf("%d-clients", clients), func(b *testing.B) {
			var ratios []float64
			for b.Loop() {
				for round := range rounds { // taking turns, and turns at going first
					var rate [2]float64
					for i := range 2 {
						which := (i + round) % 2
						rate[which] = fileFor(b, []filing{s.filePlainly, s.fileShared}[which], clients, lasts)
					}
					ratios = append(ratios, rate[1]/rate[0])
				}
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "x-plain")
		})
	}
}

type filing func(context.Context, Finished) (bool, error)

func (s *Store) fileShared(ctx context.Context, f Finished) (bool, error) {
	filed, err := s.FileFinished(ctx, []Finished{f})
	return err == nil && filed[0], err
}

// filePlainly is what a ledger without any of this would do.
func (s *Store) filePlainly(ctx context.Context, f Finished) (bool, error) {
	tag, err := s.pool.Exec(ctx, `INSERT INTO payments.webhook_events (stripe_event_id, type, livemode, api_version, object_id, status, attempt_count,
		last_error, customer_id, payload, received_at, processed_at) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10, $10) ON CONFLICT DO NOTHING`,
		f.Event.ID, f.Event.Type, f.Event.Livemode, f.Event.APIVersion, f.Event.ObjectID, f.Status, f.Note, f.Event.CustomerID, f.Payload, f.Now)
	return tag.RowsAffected() == 1, err
}

// fileFor files events for a while and returns how many a second.
func fileFor(b *testing.B, file filing, clients int, lasts time.Duration) float64 {
	payload := []byte(`{"data": "` + strings.Repeat(`some \"setting\": null, `, 120) + rand.Text() + `"}`)
	var n atomic.Int64
	var done sync.WaitGroup
	prefix, began := rand.Text(), time.Now()
	for range clients {
		done.Go(func() {
			for time.Since(began) < lasts {
				id := fmt.Sprintf("evt_%s_%d", prefix, n.Add(1))
				e := webhook.Event{ID: id, Type: "invoice.updated", APIVersion: "2023-10-16", ObjectID: "in_" + id, CustomerID: "cus_" + id}
				if ok, err := file(b.Context(), Finished{Event: e, Payload: payload, Status: Ignored, Note: "nothing follows from this type", Now: time.Now()}); err != nil || !ok {
					b.Error(ok, err)
					return
				}
			}
		})
	}
	done.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}

// durable is a store on a server of its own that syncs.
func durable(b *testing.B) *Store {
	b.Helper()
	dir, err := os.MkdirTemp("", "makegood-store-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	cluster, err := postgres.Prepare(b.Context(), postgres.Options{Dir: dir, Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	if library := os.Getenv("BENCH_PRELOAD"); library != "" {
		b.Setenv("LD_PRELOAD", library)
	}
	server, err := cluster.Start(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	if err := cluster.EnsureDatabase(b.Context(), "bench"); err != nil {
		b.Fatal(err)
	}
	url := cluster.URL("bench")
	schemas := []migrate.Schema{{Name: "payments", FS: Migrations()}}
	if err := migrate.Apply(b.Context(), url, schemas, map[string]string{"payments": rand.Text()}, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	pool, err := pg.Open(b.Context(), url, "bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return New(pool, false)
}
