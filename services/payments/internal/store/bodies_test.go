package store

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/pgtest"
)

// BODIES is how many events the ledger has; a million is for a machine with time.
func ledgerRows(t *testing.T) int {
	if text := os.Getenv("BODIES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 4_000
}

// A year of events, one in ten of which is not at rest: each body that may go is moved
// to its month and dropped with it, every row stays, and what needs a person keeps its
// body however old it is.
func TestBodiesMoveToMonthsThatAreDropped(t *testing.T) {
	db := pgtest.New(t)
	owner, s, ctx := db.Owner(t), New(db.Pool(t, "payments"), false), t.Context()
	now, rows := time.Date(2026, 12, 15, 0, 0, 0, 0, time.UTC), ledgerRows(t)
	if _, err := owner.Exec(ctx, `INSERT INTO payments.webhook_events (stripe_event_id, type, livemode, api_version, object_id, status, attempt_count, payload, received_at, processed_at)
		SELECT 'evt_' || n, 'x', false, '', '', CASE WHEN n % 10 = 0 THEN 'ORPHANED' WHEN n % 2 = 0 THEN 'PROCESSED' ELSE 'IGNORED' END, 1,
			convert_to('body ' || n, 'UTF8'), $1::timestamptz - interval '1 year' * n / $2::int, $1 FROM generate_series(0, $2::int - 1) AS n`, now, rows); err != nil {
		t.Fatal(err)
	}
	var moved int64
	var dropped []string
	walk := func(at time.Time) {
		t.Helper()
		moved, dropped = 0, nil
		for {
			w, err := s.WalkBodies(ctx, at.Add(-7*24*time.Hour), at.Add(-180*24*time.Hour), at, at.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			moved += w.Moved
			if w.Ended {
				dropped = w.Dropped
				return
			}
		}
	}
	count := func(query string) (n int64) {
		t.Helper()
		if err := owner.QueryRow(context.Background(), query).Scan(&n); err != nil {
			t.Fatal(query, err)
		}
		return n
	}
	begun := time.Now()
	walk(now)
	t.Logf("%d bodies of %d events moved in %s", moved, rows, time.Since(begun))
	if n := count("SELECT count(*) FROM payments.webhook_events"); n != int64(rows) {
		t.Errorf("%d rows of %d are left", n, rows)
	}
	if n := count("SELECT count(*) FROM payments.webhook_events WHERE status = 'ORPHANED' AND payload IS NULL"); n != 0 {
		t.Errorf("%d orphaned events lost their bodies", n)
	}
	if n := count("SELECT count(*) FROM payments.webhook_events WHERE status <> 'ORPHANED' AND payload IS NOT NULL AND received_at < '2026-12-08'"); n != 0 {
		t.Errorf("%d bodies were not moved", n)
	}
	kept := count("SELECT count(*) FROM payments.webhook_bodies")
	if want := count("SELECT count(*) FROM payments.webhook_events WHERE status <> 'ORPHANED' AND received_at >= '2026-06-01' AND received_at < '2026-12-08'"); kept != want || kept == 0 || len(dropped) != 0 {
		t.Errorf("%d bodies are kept, want %d; dropped %v", kept, want, dropped)
	}

	// One body is looked up in its month only.
	plan, err := owner.Query(ctx, `EXPLAIN (COSTS off) SELECT body FROM payments.webhook_bodies WHERE received_at = '2026-09-10 00:00:00+00' AND stripe_event_id = 'evt_1'`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(plan, pgx.RowTo[string])
	if said := strings.Join(lines, "\n"); err != nil || !strings.Contains(said, "webhook_bodies_2026_09") || strings.Count(said, "webhook_bodies_") != 1+strings.Count(said, "webhook_bodies_2026_09_pkey") {
		t.Errorf("the plan is\n%s (%v)", said, err)
	}

	// Two months later, the two oldest months go whole, and nothing else.
	walk(now.AddDate(0, 2, 0))
	if want := []string{"webhook_bodies_2026_06", "webhook_bodies_2026_07"}; !slices.Equal(dropped, want) {
		t.Errorf("dropped %v, want %v", dropped, want)
	}
	if n := count("SELECT count(*) FROM payments.webhook_events"); n != int64(rows) {
		t.Errorf("%d rows of %d are left", n, rows)
	}
}
