package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/deploy/internal/stack"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// A cluster hands each service its database URL and gives the migration no place
// to keep anything: the roles then have the passwords of those URLs.
func TestTheServicesURLsNameTheirPasswords(t *testing.T) {
	owner := pgtest.New(t).OwnerURL()
	files, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	t.Setenv("DATABASE_URL", owner)
	t.Setenv("MAKEGOOD_DIR", state)
	urls := map[string]string{}
	for _, schema := range stack.Schemas {
		own, err := migrate.ServiceURL(owner, schema.Name, "chosen-for-"+schema.Name)
		if err != nil {
			t.Fatal(err)
		}
		urls[schema.Name] = own
		file := filepath.Join(files, schema.Name)
		if err := os.WriteFile(file, []byte(own+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(strings.ToUpper(schema.Name)+"_DATABASE_URL_FILE", file)
	}
	for range 2 { // an upgrade is the same again
		if err := migrateDatabase(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	for service, own := range urls {
		pool, err := pgxpool.New(t.Context(), own)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Exec(t.Context(), "SELECT FROM "+service+".goose_db_version"); err != nil {
			t.Errorf("%s cannot use its own URL: %v", service, err)
		}
		pool.Close()
	}
	if _, err := os.Stat(state); !os.IsNotExist(err) {
		t.Errorf("a state folder was made: %v", err)
	}

	// Nobody is told a password, or given the role of another.
	payments, err := url.Parse(urls["payments"])
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ORDERS_DATABASE_URL", payments.String())
	err = migrateDatabase(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "ORDERS_DATABASE_URL connects as") || strings.Contains(err.Error(), "chosen-for") {
		t.Errorf("Payments' URL given to Orders: %v", err)
	}
}

// Who gives only some URLs has the other passwords kept in the state folder.
func TestPasswordsThatNobodyChoseAreKept(t *testing.T) {
	owner := pgtest.New(t).OwnerURL()
	dir := t.TempDir()
	t.Setenv("DATABASE_URL", owner)
	t.Setenv("MAKEGOOD_DIR", dir)
	own, err := migrate.ServiceURL(owner, "orders", "chosen")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ORDERS_DATABASE_URL", own)
	urls := filepath.Join(dir, "urls")
	if err := migrateDatabase(t.Context(), []string{"-urls", urls}); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"orders", "payments"} {
		body, err := os.ReadFile(filepath.Join(urls, service+".url"))
		if err != nil {
			t.Fatal(err)
		}
		pool, err := pgxpool.New(t.Context(), strings.TrimSpace(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		if err := pool.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", service, err)
		}
		pool.Close()
		if chosen := strings.Contains(string(body), ":chosen@"); chosen != (service == "orders") {
			t.Errorf("%s has the chosen password: %t", service, chosen)
		}
	}
}
