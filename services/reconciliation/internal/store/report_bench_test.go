package store_test

import (
	"testing"
	"time"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pagebench"
	"makegood.example/services/reconciliation/internal/store"
)

const fillDispositions = `INSERT INTO reconciliation.charge_dispositions (
    charge_id, disposition, order_id, reason, evidence, owner, status, captured, payment_intent_id, balance_transaction_id, amount_minor,
    refunded_minor, disputed_minor, currency, created_at, recovered_by, access_at, case_kind, case_summary, first_seen_at, seen_at, decided_at, seen_by_run)
SELECT 'ch_3' || md5('charge ' || n), 'MATCHED', md5('order ' || n)::uuid, 'its order is COMPLETE and gives access', ARRAY['Stripe: SUCCEEDED', 'Provisioning: access'],
    'OURS', 'SUCCEEDED', true, 'pi_3' || md5('intent ' || n), 'txn_3' || md5('balance ' || n), 24900,
    0, 0, 'USD', at, '', at + interval '300 milliseconds', '', '', at, now(), at, 1
FROM (SELECT n, now() - n * interval '10 seconds' AS at FROM generate_series(1, $1::int) AS n) AS made`

const fillBalance = `INSERT INTO reconciliation.balance_transactions (id, type, source_id, charge_id, amount_minor, fee_minor, net_minor, currency, exchange_rate, created_at)
SELECT 'txn_3' || md5('balance ' || n), 'charge', 'ch_3' || md5('charge ' || n), 'ch_3' || md5('charge ' || n), 24900, 752, 24148, 'USD', '',
    now() - n * interval '10 seconds'
FROM generate_series(1, $1::int) AS n`

// BenchmarkReport adds up everything that was ever kept: ROWS charges and as many
// movements of the balance.
func BenchmarkReport(b *testing.B) {
	db := pagebench.Durable(b, migrate.Schema{Name: "reconciliation", FS: store.Migrations()})
	db.Fill(b, "reconciliation.charge_dispositions", fillDispositions, pagebench.Rows())
	db.Fill(b, "reconciliation.balance_transactions", fillBalance, pagebench.Rows())
	s, now := store.New(db.Pool(b)), time.Now()
	all := store.Bounds{
		From: time.Unix(0, 0), Before: now.AddDate(1, 0, 0), ChargesBefore: now, BalanceBefore: now, OpenSince: now,
		PassFrom: now.AddDate(-1, 0, 0), PassStartedAt: now.Add(-time.Hour),
	}
	held := pagebench.WatchMemory()
	for b.Loop() {
		r, err := s.Report(b.Context(), all, 1000)
		if err != nil || len(r.Charges) != 1 || r.Charges[0].Count != int64(pagebench.Rows()) || r.DifferenceCount != 0 {
			b.Fatalf("%v %+v", err, r)
		}
	}
	b.ReportMetric(float64(held.Stop())/(1<<20), "MB")
}
