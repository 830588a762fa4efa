package provisioning_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/pagebench"
	"makegood.example/services/platform/pgtest"
	"makegood.example/services/provisioning/internal/service"
	"makegood.example/services/provisioning/internal/store"
)

// Accounts with an order each, of whom every tenth has a subscription with a year of
// months paid; and one that never had anything.
const (
	fillAccounts = `INSERT INTO provisioning.accounts (id, email, email_key, name, created_at)
SELECT md5('account ' || n)::uuid, 'jane' || n || '@example.com', 'jane' || n || '@example.com', 'Jane', '2026-01-01' FROM generate_series(0, $1::int) AS n`
	fillGrants = `INSERT INTO provisioning.grants (order_id, account_id, plan_id, term_months, starts_at, ends_at, account_created, created_at, subscription_id)
SELECT md5('order ' || n || ' ' || term)::uuid, md5('account ' || n)::uuid, 'annual', 1, at, at + interval '30 days', term = 0, at, CASE WHEN n % 10 = 0 THEN 'sub_' || n END
FROM (SELECT n, term, timestamptz '2026-01-01' + term * interval '30 days' AS at
	FROM generate_series(0, $1::int - 1) AS n, generate_series(0, 11) AS term WHERE term = 0 OR n % 10 = 0) AS made`
	fillSubscriptions = `INSERT INTO provisioning.subscriptions (subscription_id, order_id, status, renews, observed_at)
SELECT 'sub_' || n, md5('order ' || n || ' 0')::uuid, 'ACTIVE', true, '2026-01-01' FROM generate_series(0, $1::int - 1, 10) AS n`
)

// Whether an account has access is read from indexes, however many accounts there are.
func TestAccessIsReadFromIndexes(t *testing.T) {
	const accounts = 5_000
	db := pgtest.New(t)
	owner := db.Owner(t)
	for table, fill := range map[string]string{"accounts": fillAccounts, "grants": fillGrants, "subscriptions": fillSubscriptions} {
		pagebench.Fill(t, owner, "provisioning."+table, fill, accounts)
	}
	account := func(n string) (id uuid.UUID) {
		t.Helper()
		if err := owner.QueryRow(t.Context(), "SELECT md5('account ' || $1)::uuid", n).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	day := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, n string
		active  bool
		lasts   time.Duration // from the first of January
		rows    float64
	}{
		{"one order", "4001", true, 30 * 24 * time.Hour, 10},
		{"a year of months", "4000", true, 360 * 24 * time.Hour, 150}, // each term looks whether a later one is there
		{"never anything", "5000", false, 0, 10},
	} {
		plans := db.Plans(t, "provisioning", func(pool *pgxpool.Pool) {
			s := &service.Service{Store: store.New(pool), Settings: service.Settings{GracePeriod: time.Hour}, Now: func() time.Time { return day }}
			active, until, err := s.CheckAccess(t.Context(), account(c.n))
			if err != nil || active != c.active || active && !until.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(c.lasts)) {
				t.Errorf("%s: %t until %v: %v", c.name, active, until, err)
			}
		})
		if len(plans) != 1 {
			t.Errorf("%s: asked in %d statements", c.name, len(plans))
		}
		for _, p := range plans {
			if len(p.ReadWhole) > 0 || p.Rows > c.rows {
				t.Errorf("%s: %v are read whole, and %.0f rows looked at, by\n%s", c.name, p.ReadWhole, p.Rows, p.SQL)
			}
		}
	}
}
