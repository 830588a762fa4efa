package store

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pagebench"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, migrate.Schema{Name: "payments", FS: Migrations()})
}

const (
	fillCustomers = `INSERT INTO payments.customers (email_key, first_order_id, email, name, customer_id, tried_at)
		SELECT 'buyer' || n || '@example.com', md5('order ' || n)::uuid, 'buyer' || n || '@example.com', '', 'cus_' || n, now() FROM generate_series(0, $1::int - 1) AS n`
	fillPayments = `INSERT INTO payments.payments (id, order_id, seq, reference, plan_id, description, account_id, email_key, amount_minor, currency,
			status, payment_intent_id, customer_id, charge_id, received_minor, received_currency, charged_at, created_at, updated_at)
		SELECT md5('payment ' || n)::uuid, md5('order ' || n)::uuid, 1, md5('reference ' || n)::uuid, 'annual', '', '', 'buyer' || n || '@example.com', 24900, 'USD',
			'SUCCEEDED', 'pi_' || n, 'cus_' || n, 'ch_' || n, 24900, 'USD', now(), now(), now() FROM generate_series(0, $1::int - 1) AS n`
)

// What the support desk asks of Payments looks at no more rows when many have
// bought.
func TestALookupReadsOnlyItsPerson(t *testing.T) {
	const history = 20_000
	db := pgtest.New(t)
	owner := db.Owner(t)
	pagebench.Fill(t, owner, "payments.customers", fillCustomers, history)
	pagebench.Fill(t, owner, "payments.payments", fillPayments, history)
	plans := db.Plans(t, "payments", func(pool *pgxpool.Pool) {
		s, ctx := New(pool, false), t.Context()
		if ids, err := s.CustomersOfPeople(ctx, []string{"buyer7@example.com", "nobody@example.com"}); err != nil || !slices.Equal(ids, []string{"cus_7"}) {
			t.Error(ids, err)
		}
		if paid, err := s.PaidPayments(ctx, []string{"buyer7@example.com"}, []string{"cus_8"}, []string{"ch_9"}, []string{"pi_10"}, 200); err != nil || len(paid) != 4 {
			t.Error(len(paid), err)
		}
		if paid, err := s.PaymentsOf(ctx, nil, nil, []uuid.UUID{uuid.New()}); err != nil || len(paid) != 0 {
			t.Error(len(paid), err)
		}
	})
	if len(plans) != 3 {
		t.Errorf("%d statements were looked at", len(plans))
	}
	for _, p := range plans {
		if len(p.ReadWhole) > 0 || p.Rows > 100 {
			t.Errorf("%v are read whole, and %.0f rows looked at, by\n%s", p.ReadWhole, p.Rows, p.SQL)
		}
	}
}
