package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pagebench"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/store"
)

// BenchmarkDispositions decides about charges that are matched and keeps what was
// decided: what was known of a page is read in one statement and kept in one, next
// to the same for each charge. One in a thousand is an orphan.
func BenchmarkDispositions(b *testing.B) {
	db := pagebench.Durable(b, migrate.Schema{Name: "reconciliation", FS: store.Migrations()})
	pagebench.Compare(b, db, func(pool *pgxpool.Pool) pagebench.Ways {
		s, now := store.New(pool), time.Now().UTC().Truncate(time.Microsecond)
		return pagebench.Ways{
			Page: func(ctx context.Context, lap, from, n int) error { return keepPage(ctx, s, lap, from, n, now) },
			Row:  func(ctx context.Context, i int) error { return keepPage(ctx, s, -1, i, 1, now) },
		}
	})
}

// keepPage is what a sweep does with a page once it is matched.
func keepPage(ctx context.Context, s *store.Store, lap, from, n int, now time.Time) error {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("ch_%d_%024d", lap, from+i)
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
		keep[i] = store.Recorded{Charge: c, Decision: disposition.Decide(f)}
		if f.Order != nil {
			keep[i].AccessAt = f.Order.CompletedAt
		}
		if d := keep[i].Decision; d.Again || d.Kind == disposition.Open {
			keep[i].ReadAgainAt = now
		}
	}
	return s.SaveDispositions(ctx, 1, now, now, keep)
}
