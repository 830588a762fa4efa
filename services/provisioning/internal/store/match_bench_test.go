package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pagebench"
	"makegood.example/services/provisioning/internal/store"
)

// fillGrants gives access for all orders but one in a thousand.
const fillGrants = `INSERT INTO provisioning.grants (order_id, account_id, plan_id, term_months, starts_at, ends_at, account_created, created_at)
SELECT (spread || '-0000-0000-0000-000000000000')::uuid, md5('account ' || n)::uuid, 'annual', 12, at, at + interval '1 year', true, at
FROM (SELECT n, timestamptz '2026-01-01' + n * interval '10 seconds' AS at, ` + pagebench.SpreadSQL + ` AS spread
    FROM generate_series(0, $1::int - 1) AS n WHERE n % 1000 <> 999) AS made`

// BenchmarkMatchGrants finds what orders gave access, next to one query for each.
func BenchmarkMatchGrants(b *testing.B) {
	db := pagebench.Durable(b, migrate.Schema{Name: "provisioning", FS: store.Migrations()})
	db.Fill(b, "provisioning.grants", fillGrants, pagebench.Rows())
	pagebench.Compare(b, db, func(pool *pgxpool.Pool) pagebench.Ways {
		s := store.New(pool)
		return pagebench.Ways{
			Page: func(ctx context.Context, _, from, n int) error {
				ids, missing := make([]uuid.UUID, n), 0
				for i := range ids {
					ids[i] = pagebench.SpreadUUID(from + i)
					if (from+i)%1000 == 999 {
						missing++
					}
				}
				found, err := s.MatchGrants(ctx, ids)
				if err == nil && len(found) != n-missing {
					return fmt.Errorf("%d grants of %d orders", len(found), n)
				}
				return err
			},
			Row: func(ctx context.Context, i int) error {
				var account uuid.UUID
				var ends time.Time
				var revoked *time.Time
				err := pool.QueryRow(ctx, "SELECT account_id, ends_at, revoked_at FROM provisioning.grants WHERE order_id = $1", pagebench.SpreadUUID(i)).Scan(&account, &ends, &revoked)
				if errors.Is(err, pgx.ErrNoRows) && i%1000 == 999 {
					return nil
				}
				return err
			},
		}
	})
}
