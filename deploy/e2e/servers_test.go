package e2e

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/deploy/internal/backup"
	"makegood.example/deploy/internal/stack"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/postgres"
)

// moved are the services that get a server of their own. A purchase then passes from
// one server to the other at each of its steps, and so does a sweep.
var moved = []string{"orders", "provisioning", "notifications"}

// TestServicesMoveToAServerOfTheirOwn, as docs/scaling.md says: what was bought before
// goes on, what is bought afterwards is complete, and the sweep, which sees all of
// them, finds every charge explained.
func TestServicesMoveToAServerOfTheirOwn(t *testing.T) {
	t.Parallel()
	settings := []string{"RECONCILE_EVERY=1s", "STUCK_AFTER=1h"}
	dir := stateFolder(t)
	s := startIn(t, dir, true, settings)
	before := s.buyer("before the move")
	before.pays(t, card)
	before.judgeFulfilled(t, outcome{})
	s.awaitDeliveries(t)
	s.awaitDisposition(t, before.atStripe(t).charges[0].ID, "MATCHED")
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	settings = append(settings, move(t, dir)...)

	s = startIn(t, dir, true, settings)
	after := s.buyer("after the move")
	if o := after.pays(t, card); !o.fulfilled() {
		t.Fatalf("a purchase over two servers: %d %s", o.Status, o.Body)
	}
	s.awaitDeliveries(t)
	s.awaitDisposition(t, after.atStripe(t).charges[0].ID, "MATCHED")
	await(t, "the mail about the second purchase", func() bool { return len(after.mails(t)) == 1 })
	before.shop = s
	if o := before.looks(t); !o.fulfilled() || o.AccessUntil == nil || len(before.mails(t)) != 1 {
		t.Errorf("what was bought before the move: %d %s, %d mails", o.Status, o.Body, len(before.mails(t)))
	}
	s.judgeSums(t, 2*24900)
	for query, want := range map[string]int{
		"SELECT count(*) FROM orders.orders":     1, // where they were, nothing is written any more
		"SELECT count(*) FROM payments.payments": 2,
		"SELECT count(*) FROM reconciliation.runs WHERE details::text LIKE '%was restored from a backup%'": 0,
		"SELECT count(*) FROM reconciliation.cases":                                                        0,
	} {
		if n := s.count(t, query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
}

// move takes what a stopped product keeps to a second server, and answers with the
// settings by which some services use that one from now on.
func move(t *testing.T, dir string) (settings []string) {
	t.Helper()
	state, err := stack.OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	bin, err := postgres.Locate()
	if err != nil {
		t.Fatal(err)
	}
	first, stop := server(t, postgres.UsableDir(filepath.Join(dir, "postgres")))
	defer stop()
	second, _ := server(t, filepath.Join(stateFolder(t), "second"))
	from, to := backup.Tools{Bin: bin, URL: first}, backup.Tools{Bin: bin, URL: second}
	for _, schema := range stack.Schemas {
		from.Schemas, to.Schemas = append(from.Schemas, schema.Name), append(to.Schemas, schema.Name)
	}
	migrated := func() {
		t.Helper()
		if err := stack.Migrate(t.Context(), second, state, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	migrated() // the dump names the roles
	dump, err := from.Save(t.Context(), filepath.Join(t.TempDir(), "dumps"), time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Restore(t.Context(), dump); err != nil {
		t.Fatal(err)
	}
	migrated()
	old, err := pgx.Connect(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close(t.Context())
	for _, service := range moved {
		if _, err := old.Exec(t.Context(), "ALTER ROLE "+migrate.RoleName("makegood", service)+" NOLOGIN"); err != nil {
			t.Fatal(err)
		}
		url, err := migrate.ServiceURL(second, service, state.DatabasePasswords[service])
		if err != nil {
			t.Fatal(err)
		}
		settings = append(settings, strings.ToUpper(service)+"_DATABASE_URL="+url)
	}
	return settings
}

// server runs a PostgreSQL until the test ends or it is stopped, and answers with the
// owner's way to its database.
func server(t *testing.T, dir string) (owner string, stop func()) {
	t.Helper()
	cluster, err := postgres.Prepare(t.Context(), postgres.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	running, err := cluster.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop = func() {
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	if err := cluster.EnsureDatabase(t.Context(), "makegood"); err != nil {
		t.Fatal(err)
	}
	return cluster.URL("makegood"), stop
}
