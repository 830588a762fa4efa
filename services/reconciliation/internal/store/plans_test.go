package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pagebench"
	"makegood.example/services/platform/pgtest"
	"makegood.example/services/reconciliation/internal/balance"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/run"
	"makegood.example/services/reconciliation/internal/store"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, migrate.Schema{Name: "reconciliation", FS: store.Migrations()})
}

const (
	fillRuns = `INSERT INTO reconciliation.runs (started_at, finished_at, status) SELECT now(), now(), 'SUCCEEDED' FROM generate_series(1, $1::int)`
	// One case in a thousand is open.
	fillCases = `INSERT INTO reconciliation.cases (kind, subject, state, summary, opened_at, resolved_at, reported_count, last_reported_at, told_at)
		SELECT 'WRONG_CHARGE', 'charge/ch_' || n, CASE WHEN n % 1000 = 0 THEN 'OPEN' ELSE 'RESOLVED' END, 'it is', now(),
			CASE WHEN n % 1000 = 0 THEN NULL ELSE now() END, 1, now(), now() FROM generate_series(1, $1::int) AS n`
	fillPasses = `INSERT INTO reconciliation.deep_passes (why, window_from, window_before, page_token, started_at, finished_at)
		SELECT 'daily', now() - interval '180 days', now(), '', now(), now() FROM generate_series(1, $1::int)`
	fillSlices = `INSERT INTO reconciliation.deep_pass_slices (pass_id, slice_from, slice_before, finished_at)
		SELECT n, now() - interval '180 days', now(), now() FROM generate_series(1, $1::int) AS n`
	fillDisputes = `INSERT INTO reconciliation.disputes (id, charge_id, amount_minor, currency, stands, told, created_at, seen_at)
		SELECT 'dp_' || n, 'ch_' || n, 24900, 'USD', 'LOST', true, now() - interval '1 day' - n * interval '10 minutes', now() FROM generate_series(1, $1::int) AS n`
	fillDisputeMovements = `INSERT INTO reconciliation.dispute_movements (balance_transaction_id, dispute_id, amount_minor, fee_minor, net_minor, currency, exchange_rate, created_at)
		SELECT 'txn_dp_' || n, 'dp_' || n, -24900, 1500, -26400, 'USD', '', now() - interval '1 day' - n * interval '10 minutes' FROM generate_series(1, $1::int) AS n`
)

// What a sweep asks of its own store looks at no more rows when history is long: no
// statement reads a table of history from one end to the other, or a part of it that
// grows, or passes over the pages of an index that grows.
func TestASweepDoesNotReadHistory(t *testing.T) {
	plans := plansBeside(t, 40_000)
	for _, p := range plans {
		if len(p.ReadWhole) > 0 && p.Rows > 100 || p.Rows > 2000 {
			t.Errorf("%v are read whole, and %.0f rows looked at, by\n%s", p.ReadWhole, p.Rows, p.SQL)
		}
	}
	if len(plans) < 15 {
		t.Errorf("only %d statements were looked at", len(plans))
	}
	for _, grown := range pgtest.Grown(t, plansBeside(t, 8_000), plans) {
		t.Error(grown)
	}
}

// plansBeside is how the statements of a sweep are worked beside so long a history.
func plansBeside(t *testing.T, history int) []pgtest.Plan {
	t.Helper()
	db := pgtest.New(t)
	owner := db.Owner(t)
	for table, fill := range map[string]string{
		"charge_dispositions": fillDispositions, "balance_transactions": fillBalance, "runs": fillRuns, "cases": fillCases,
		"deep_passes": fillPasses, "deep_pass_slices": fillSlices, "disputes": fillDisputes,
	} {
		pagebench.Fill(t, owner, "reconciliation."+table, fill, history)
	}
	pagebench.Fill(t, owner, "reconciliation.dispute_movements", fillDisputeMovements, history)
	var ids []string
	rows, err := owner.Query(t.Context(), "SELECT charge_id FROM reconciliation.charge_dispositions ORDER BY created_at DESC LIMIT 100")
	if err == nil {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil || len(ids) != 100 {
		t.Fatal(ids, err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	plans := db.Plans(t, "reconciliation", func(pool *pgxpool.Pool) {
		s, ctx := store.New(pool), t.Context()
		id, err := s.StartRun(ctx, "one", nil, now, false)
		check := func(what string, next error) {
			if err == nil && next != nil {
				err = fmt.Errorf("%s: %w", what, next)
			}
		}
		_, next := s.HistoryMarks(ctx)
		check("history marks", next)
		newest, next := s.NewestAccess(ctx, 100)
		if len(newest) != 100 {
			t.Errorf("%d newest", len(newest))
		}
		check("newest access", next)
		_, _, next = s.Cursor(ctx, "charges")
		check("cursor", next)
		known, next := s.Dispositions(ctx, ids)
		check("dispositions", next)
		var keep []store.Recorded
		for _, c := range newest {
			p := known[c.ID]
			keep = append(keep, store.Recorded{AccessAt: now, Decision: disposition.Decision{Kind: p.Kind, OrderID: p.OrderID, Reason: p.Reason},
				Charge: disposition.Charge{ID: c.ID, Status: disposition.Succeeded, Captured: true, AmountMinor: 24900, Currency: "USD", CreatedAt: now, Owner: disposition.Ours}})
		}
		check("keep", s.SaveDispositions(ctx, id, now, now, keep))
		_, _, next = s.ToReadAgain(ctx, id, now, store.ReadAgainPosition{}, 100)
		check("read again", next)
		check("balance", s.InsertBalance(ctx, []balance.Transaction{{ID: "txn_new", Type: "charge", ChargeID: ids[0], Currency: "USD", CreatedAt: now}}))
		_, next = s.MovedSince(ctx, ids)
		check("moved since", next)
		check("keep disputes", s.SaveDisputes(ctx, now, []balance.Dispute{{ID: "dp_new", ChargeID: "ch_of_nobody", AmountMinor: 24900, Currency: "USD", Stands: "OPEN", CreatedAt: now}}))
		_, next = s.UntoldDisputes(ctx, []string{"dp_new"})
		check("untold disputes", next)
		check("disputes are told", s.NoteDisputesTold(ctx, []string{"dp_new"}))
		_, next = s.Reading(ctx, "charges")
		check("reading", next)
		check("keep reading", s.KeepReading(ctx, "charges", store.ListSlice{From: now.Add(-time.Hour), Before: now, ReadBefore: now, PageToken: "ch_1"}, now))
		_, next = s.ReadAgain(ctx, ids, now)
		check("read moved again", next)
		var differ balance.Report
		check("differences", s.Differences(ctx, store.Bounds{
			From: now.Add(-15 * time.Minute), Before: now.AddDate(1, 0, 0), ChargesBefore: now, BalanceBefore: now, OpenSince: now.Add(-time.Hour),
			PassFrom: now.AddDate(0, 0, -180), PassStartedAt: now.Add(-time.Hour),
		}, 100, &differ))
		if differ.DifferenceCount != 0 {
			t.Errorf("%d differences: %+v", differ.DifferenceCount, differ.Differences)
		}
		charges, _, next := s.OrderedCharges(ctx, now.Add(-time.Hour), now, store.OrderedPosition{}, 500)
		if len(charges) < 100 {
			t.Errorf("%d charges of the last hour with orders", len(charges))
		}
		check("charges with orders", next)
		_, next = s.UnfinishedPass(ctx)
		check("unfinished pass", next)
		pass, next := s.FinishedPass(ctx)
		check("finished pass", next)
		_, next = s.Slices(ctx, *pass, 16)
		check("slices", next)
		open, next := s.ListOpenCases(ctx, 0, 100)
		if len(open) != history/1000 {
			t.Errorf("%d open cases", len(open))
		}
		check("open cases", next)
		_, next = s.ClaimDueCases(ctx, now, 10)
		check("due cases", next)
		var arrive cases.Ledger
		check("missed events", s.AddMissed(ctx, &arrive, now))
		check("progress", s.SaveProgress(ctx, id, now, run.Counts{}, nil))
		check("finish", s.FinishRun(ctx, id, now, run.Succeeded, run.Counts{}, nil))
		if err != nil {
			t.Fatal(err)
		}
	})
	return plans
}
