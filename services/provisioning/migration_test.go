package provisioning_test

import (
	"io/fs"
	"log/slog"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"

	pb "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pgtest"
	"makegood.example/services/provisioning"
)

// insertAsBefore is how grants were written by the binary before withdrawals.
const insertAsBefore = `INSERT INTO provisioning.grants (order_id, account_id, plan_id, term_months, starts_at, ends_at, account_created, created_at)
	VALUES ($1, $2, 'annual', 12, '2026-11-01Z', '2027-11-01Z', true, '2026-11-01Z')`

func TestThePreviousBinaryMayGoOnGranting(t *testing.T) {
	r := start(t)
	g := r.grant(nil)
	old := &pb.Grant{OrderId: uuid.NewString(), AccountId: g.GetAccountId()}
	if _, err := r.db.Pool(t, "provisioning").Exec(t.Context(), insertAsBefore, old.GetOrderId(), old.GetAccountId()); err != nil {
		t.Fatal(err)
	}
	r.revoke(old)
	r.wantTerm(g, "2026-11-21T12:00:00.123456Z", "2027-11-21T12:00:00.123456Z")
	r.restore(old)
	if n := r.count(`SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NULL`); n != 2 {
		t.Errorf("%d grants", n)
	}
}

func TestGrantsFromBeforeWithdrawalsAreKept(t *testing.T) {
	db := pgtest.New(t)
	owner := db.Owner(t)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	apply := func(files fs.FS) {
		t.Helper()
		schema := migrate.Schema{Name: "provisioning", FS: files}
		if err := migrate.Apply(t.Context(), db.OwnerURL(), []migrate.Schema{schema}, nil, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	exec(`DROP SCHEMA provisioning CASCADE`)
	const first = "00001_accounts_and_grants.sql"
	sql, err := fs.ReadFile(provisioning.Schema.FS, first)
	if err != nil {
		t.Fatal(err)
	}
	apply(fstest.MapFS{first: {Data: sql}})
	account, kept, revoked := uuid.New(), uuid.New(), uuid.New()
	exec(`INSERT INTO provisioning.accounts (id, email, email_key, name, created_at) VALUES ($1, 'jane@example.com', 'jane@example.com', '', '2026-11-01Z')`, account)
	exec(insertAsBefore, kept, account)
	exec(insertAsBefore, revoked, account)
	exec(`UPDATE provisioning.grants SET revoked_at = '2026-12-01Z' WHERE order_id = $1`, revoked)

	apply(provisioning.Schema.FS)
	var n int
	if err := owner.QueryRow(t.Context(), `SELECT count(*) FROM provisioning.grants AS g JOIN provisioning.grant_events AS e USING (order_id, starts_at, ends_at)
		WHERE length = 'MONTHS' AND withdrawn_at IS NOT DISTINCT FROM revoked_at AND what = 'GRANTED' AND (order_id = $1) = (revoked_at IS NOT NULL)`,
		revoked).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != 2 {
		t.Errorf("%d of 2 grants came through as they were", n)
	}
}
