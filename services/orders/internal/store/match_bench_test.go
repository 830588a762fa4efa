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

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pagebench"
)

// fillOrders makes completed orders; of one in a thousand charges there is none.
var fillOrders = `INSERT INTO orders.orders (
    id, reference, kind, state, plan_id, plan_name, term_months, amount_minor, currency, email, email_key, name, account_id,
    checkout, allow_repeat, created_at, attempt_id, submitted_at, payment_status, payment_intent_id, charge_id, customer_id, charged_at,
    completed_at, access_until, last_progress_at)
SELECT (spread || '-0000-0000-0000-000000000000')::uuid, md5('reference ' || n)::uuid, 'PURCHASE', 'COMPLETE', 'annual', 'Annual', 12, 24900, 'USD',
    spread || '@example.com', spread || '@example.com', 'Jane Example', '', 'SERVER', false, at, md5('attempt ' || n)::uuid, at,
    'SUCCEEDED', ` + pagebench.StripeSQL("pi") + `, ` + pagebench.StripeSQL("ch") + `, 'cus_' || spread, at, at, at + interval '1 year', at
FROM (SELECT n, timestamptz '2026-01-01' + n * interval '10 seconds' AS at, ` + pagebench.SpreadSQL + ` AS spread
    FROM generate_series(0, $1::int - 1) AS n WHERE n % 1000 <> 999) AS made`

func chargeID(n int) string { return pagebench.StripeID("ch", n) }
func intentID(n int) string { return pagebench.StripeID("pi", n) }

// BenchmarkFindCharges finds the orders of charges by their three keys, next to one
// query for each charge.
func BenchmarkFindCharges(b *testing.B) { matchCharges(b, 0) }

// BenchmarkMatchCharges also asks of each order whether its buyer had paid another for
// the same, which the query for each charge does not.
func BenchmarkMatchCharges(b *testing.B) { matchCharges(b, 5*time.Minute) }

func matchCharges(b *testing.B, window time.Duration) {
	db := pagebench.Durable(b, migrate.Schema{Name: "orders", FS: store.Migrations()})
	db.Fill(b, "orders.orders", fillOrders, pagebench.Rows())
	pagebench.Compare(b, db, func(pool *pgxpool.Pool) pagebench.Ways {
		s := store.New(pool)
		return pagebench.Ways{
			Page: func(ctx context.Context, _, from, n int) error {
				keys := make([]order.ChargeKeys, n)
				orphans := 0
				for i := range keys {
					keys[i] = order.ChargeKeys{
						ChargeID: chargeID(from + i), PaymentIntentID: intentID(from + i), OrderID: pagebench.SpreadUUID(from + i),
					}
					if (from+i)%1000 == 999 {
						orphans++
					}
				}
				found, err := s.MatchCharges(ctx, keys, window)
				if err == nil && len(found) != n-orphans {
					return fmt.Errorf("%d orders of %d charges", len(found), n)
				}
				return err
			},
			Row: func(ctx context.Context, i int) error {
				var id uuid.UUID
				var state, currency string
				var amount, refunded int64
				err := pool.QueryRow(ctx, `SELECT id, state, amount_minor, currency, refunded_minor FROM orders.orders
					WHERE charge_id = $1 OR payment_intent_id = $2`,
					chargeID(i), intentID(i)).Scan(&id, &state, &amount, &currency, &refunded)
				if errors.Is(err, pgx.ErrNoRows) && i%1000 == 999 {
					return nil
				}
				return err
			},
		}
	})
}
