package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pagebench"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, migrate.Schema{Name: "orders", FS: store.Migrations()})
}

const fillHistory = `INSERT INTO orders.history (order_id, to_state, reason, actor, note, at)
	SELECT md5('order ' || n)::uuid, 'COMPLETE', 'request', 'system', '', now() FROM generate_series(0, $1::int - 1) AS n`

// What a sweep asks of Orders looks at no more rows when there are many old orders, and
// passes no more pages.
func TestASweepDoesNotReadHistory(t *testing.T) {
	plans := plansBeside(t, 40_000)
	for _, p := range plans {
		if len(p.ReadWhole) > 0 || p.Rows > 1500 {
			t.Errorf("%v are read whole, and %.0f rows looked at, by\n%s", p.ReadWhole, p.Rows, p.SQL)
		}
	}
	for _, grown := range pgtest.Grown(t, plansBeside(t, 8_000), plans) {
		t.Error(grown)
	}
}

// plansBeside is how the statements of a sweep and of the support desk are worked beside
// so many orders.
func plansBeside(t *testing.T, history int) []pgtest.Plan {
	t.Helper()
	db := pgtest.New(t)
	owner := db.Owner(t)
	pagebench.Fill(t, owner, "orders.orders", fillOrders, history)
	pagebench.Fill(t, owner, "orders.history", fillHistory, history)
	var newest time.Time
	if err := owner.QueryRow(t.Context(), "SELECT max(completed_at) FROM orders.orders").Scan(&newest); err != nil {
		t.Fatal(err)
	}
	keys := make([]order.ChargeKeys, 100)
	for i := range keys {
		n := history - 100 + i // one has no order, and one is found only by the order that it names
		keys[i] = order.ChargeKeys{ChargeID: chargeID(n), PaymentIntentID: intentID(n), OrderID: pagebench.SpreadUUID(n)}
	}
	keys[1].ChargeID, keys[1].PaymentIntentID = "ch_other", "pi_other"
	plans := db.Plans(t, "orders", func(pool *pgxpool.Pool) {
		s, ctx := store.New(pool), t.Context()
		if stuck, err := s.ListStuck(ctx, time.Now(), time.Time{}, uuid.Nil, 100); err != nil || len(stuck) != 0 {
			t.Error(stuck, err)
		}
		if found, err := s.MatchCharges(ctx, keys, 5*time.Minute); err != nil || len(found) != 99 {
			t.Error(len(found), err)
		}
		if _, err := s.MatchCharges(ctx, nil, 5*time.Minute); err != nil {
			t.Error(err)
		}
		if at, err := s.HistoryPosition(ctx); err != nil || at != int64(history) {
			t.Error(at, err)
		}
		if done, err := s.ListCompleted(ctx, newest.Add(-10*time.Minute), newest.Add(time.Second), time.Time{}, uuid.Nil, 500); err != nil || len(done) == 0 {
			t.Error(len(done), err)
		}
	})
	plans = append(plans, db.Plans(t, "orders", func(pool *pgxpool.Pool) { // nor what the support desk asks
		s, ctx := store.New(pool), t.Context()
		if found, err := s.FindByMailbox(ctx, "nobody@example.com", 51); err != nil || len(found) != 0 {
			t.Error(len(found), err)
		}
		if found, err := s.FindByReference(ctx, uuid.Nil, uuid.UUID{4: 1}, 51); err != nil || len(found) != 0 {
			t.Error(len(found), err)
		}
		if found, err := s.FindByStripeName(ctx, chargeID(7), 51); err != nil || len(found) != 1 {
			t.Error(len(found), err)
		}
		if found, err := s.FindByAccount(ctx, "acct_nobody", 51); err != nil || len(found) != 0 {
			t.Error(len(found), err)
		}
	})...)
	if len(plans) != 10 {
		t.Errorf("%d statements were looked at", len(plans))
	}
	return plans
}
