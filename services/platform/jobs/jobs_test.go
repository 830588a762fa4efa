package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"makegood.example/services/platform/jobs"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pgtest"
	"makegood.example/services/platform/tracing"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, migrate.Schema{Name: "post", River: true, FS: fstest.MapFS{"1_nothing.sql": {Data: []byte("-- +goose Up\nSELECT 1;")}}})
}

type letter struct{}

func (letter) Kind() string { return "letter" }

type carrier struct {
	river.WorkerDefaults[letter]
	work func(context.Context) error
}

func (c *carrier) Work(ctx context.Context, _ *river.Job[letter]) error { return c.work(ctx) }

// build makes a client that inserts, and works once it is run.
func build(t *testing.T, pool *pgxpool.Pool, instance string, work func(context.Context) error) *jobs.Client {
	t.Helper()
	workers := river.NewWorkers()
	river.AddWorker(workers, &carrier{work: work})
	client, err := jobs.New(jobs.Config{Schema: "post", Instance: instance, Pool: pool, Workers: workers, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// start runs a client; stop ends it and waits.
func start(t *testing.T, pool *pgxpool.Pool, instance string, work func(context.Context) error) (client *jobs.Client, stop func() error) {
	t.Helper()
	client = build(t, pool, instance, work)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = stop() })
	return client, stop
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestAJobInHandIsFinishedWhenTheServiceStops(t *testing.T) {
	pool := pgtest.New(t).Pool(t, "post")
	begun, finish := make(chan struct{}), make(chan struct{})
	var cut error
	client, stop := start(t, pool, "one", func(ctx context.Context) error {
		close(begun)
		<-finish
		cut = ctx.Err()
		return nil
	})
	if _, err := client.Insert(t.Context(), letter{}, nil); err != nil {
		t.Fatal(err)
	}
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	select {
	case <-stopped:
		t.Fatal("stopped with a job in hand")
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	if err := <-stopped; err != nil || cut != nil {
		t.Errorf("%v, the job's context: %v", err, cut)
	}
	var state string
	if err := pool.QueryRow(t.Context(), "SELECT state FROM post.river_job").Scan(&state); err != nil || state != "completed" {
		t.Errorf("%s %v", state, err)
	}
}

func TestWhatAKilledInstanceHadInHandIsTakenBackAtOnce(t *testing.T) {
	pool := pgtest.New(t).Pool(t, "post")
	client := build(t, pool, "one", nil)
	for range 3 {
		if _, err := client.Insert(t.Context(), letter{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	// One was in hand here, one elsewhere, and one waits for its next try.
	for id, set := range []string{
		"state = 'running', attempt = 1, attempted_at = now(), attempted_by = ARRAY['two', 'one']",
		"state = 'running', attempt = 1, attempted_at = now(), attempted_by = ARRAY['one', 'two']",
		"state = 'retryable', attempt = 1, scheduled_at = now() + interval '1 hour'",
	} {
		if _, err := pool.Exec(t.Context(), "UPDATE post.river_job SET "+set+" WHERE id = $1", id+1); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	var worked atomic.Int64
	start(t, pool, "one", func(context.Context) error { worked.Add(1); return nil })
	completed := func() (n int) {
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM post.river_job WHERE state = 'completed' AND id IN (1, 3)").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	await(t, "both are done", func() bool { return completed() == 2 })
	if took := time.Since(began); took > 5*time.Second || worked.Load() != 2 {
		t.Errorf("took %s, worked %d", took, worked.Load())
	}
	var state string
	if err := pool.QueryRow(t.Context(), "SELECT state FROM post.river_job WHERE id = 2").Scan(&state); err != nil || state != "running" {
		t.Errorf("another instance's job is %s %v", state, err)
	}
}

// The connection broke when jobs were handed out, or when their end was recorded:
// nobody works on them, and nobody is restarted.
func TestALostJobIsTakenBackAndOneInHandIsNot(t *testing.T) {
	pool := pgtest.New(t).Pool(t, "post")
	begun, finish := make(chan struct{}, 10), make(chan struct{})
	client, _ := start(t, pool, "one", func(context.Context) error {
		begun <- struct{}{}
		<-finish
		return nil
	})
	defer close(finish)
	insert := func(set string) (id int64) {
		t.Helper()
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
		job, err := client.InsertTx(t.Context(), tx, letter{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "UPDATE post.river_job SET "+set+" WHERE id = $1", job.Job.ID); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		return job.Job.ID
	}
	state := func(id int64) (state string, attempt int) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), "SELECT state, attempt FROM post.river_job WHERE id = $1", id).Scan(&state, &attempt); err != nil {
			t.Fatal(err)
		}
		return state, attempt
	}
	kept := insert("priority = 1")
	<-begun
	// For its row it was begun long ago.
	if _, err := pool.Exec(t.Context(), "UPDATE post.river_job SET attempted_at = now() - interval '10 seconds' WHERE id = $1", kept); err != nil {
		t.Fatal(err)
	}
	lost := insert("state = 'running', attempt = 1, attempted_at = now() - interval '4 seconds', attempted_by = ARRAY['one']")
	gone := insert("state = 'running', attempt = 1, attempted_at = now() - interval '21 seconds', attempted_by = ARRAY['a machine that is gone']")
	elsewhere := insert("state = 'running', attempt = 1, attempted_at = now() + interval '1 hour', attempted_by = ARRAY['two']")
	for range 2 {
		select {
		case <-begun:
		case <-time.After(time.Minute):
			t.Fatal("a lost job was not taken back")
		}
	}
	for id, want := range map[int64]int{kept: 1, lost: 2, gone: 2, elsewhere: 1} {
		if s, attempt := state(id); s != "running" || attempt != want {
			t.Errorf("job %d is %s, attempt %d, not %d", id, s, attempt, want)
		}
	}
}

func TestAPanickingJobIsTriedAgain(t *testing.T) {
	pool := pgtest.New(t).Pool(t, "post")
	var tries atomic.Int64
	client, _ := start(t, pool, "one", func(context.Context) error {
		switch tries.Add(1) {
		case 1:
			panic("a bug")
		case 2:
			return errors.New("away")
		}
		return nil
	})
	if _, err := client.Insert(t.Context(), letter{}, nil); err != nil {
		t.Fatal(err)
	}
	for try := int64(1); try < 3; try++ {
		await(t, "a try", func() bool { return tries.Load() >= try })
		await(t, "tried again", func() bool {
			_, err := pool.Exec(t.Context(), "UPDATE post.river_job SET state = 'available', scheduled_at = now() WHERE state = 'retryable'")
			return err == nil && tries.Load() > try
		})
	}
}

func TestWhereItCannotBeginItSaysSo(t *testing.T) {
	db := pgtest.New(t)
	pool := db.Pool(t, "post")
	if _, err := db.Owner(t).Exec(t.Context(), "DROP TABLE post.river_job CASCADE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := build(t, pool, "one", nil).Run(ctx); err == nil {
		t.Error("ran without its table")
	}
}

// What is worked at once is a part of the request that queued it; what is worked again
// is not, and links to it.
func TestAJobKnowsTheTraceThatQueuedIt(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	pool := pgtest.New(t).Pool(t, "post")
	var tries atomic.Int64
	client, stop := start(t, pool, "one", func(context.Context) error {
		if tries.Add(1) == 1 {
			return errors.New("not yet")
		}
		return nil
	})
	ctx, span := tracing.Begin(t.Context(), "request", trace.SpanKindServer)
	if _, err := client.Insert(ctx, letter{}, nil); err != nil {
		t.Fatal(err)
	}
	span.End()
	await(t, "two tries", func() bool { return tries.Load() == 2 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	var worked []sdktrace.ReadOnlySpan
	for _, s := range spans.Ended() {
		if s.Name() == "job letter" {
			worked = append(worked, s)
		}
	}
	if len(worked) != 2 {
		t.Fatalf("%d spans", len(worked))
	}
	if first := worked[0]; first.Parent().SpanID() != span.SpanContext().SpanID() || len(first.Links()) != 0 || first.Status().Description != "not yet" {
		t.Errorf("the first try is below %v, links to %v, and ended %v", first.Parent(), first.Links(), first.Status())
	}
	if second := worked[1]; second.Parent().IsValid() || len(second.Links()) != 1 || second.Links()[0].SpanContext.SpanID() != span.SpanContext().SpanID() {
		t.Errorf("the second try is below %v and links to %v", second.Parent(), second.Links())
	}
}
