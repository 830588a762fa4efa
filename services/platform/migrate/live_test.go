package migrate_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pgtest"
)

// live is a database in use, at the first version of alpha.
func live(t *testing.T) *pgtest.DB {
	t.Helper()
	db := pgtest.New(t)
	apply(t, db.OwnerURL(), []migrate.Schema{{Name: "alpha", River: true, FS: files(alphaThings)}})
	return db
}

func next(statement string) []migrate.Schema {
	return []migrate.Schema{{Name: "alpha", River: true, FS: files(alphaThings, statement)}}
}

// within bounds what would otherwise wait behind a lock.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestTrafficIsNotBlockedBehindAMigrationThatWaits(t *testing.T) {
	t.Parallel()
	db := live(t)
	traffic := servicePool(t, db.OwnerURL(), "alpha")
	inTheWay, err := traffic.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inTheWay.Rollback(context.Background()) })
	if _, err := inTheWay.Exec(t.Context(), "INSERT INTO alpha.things (name) VALUES ('long')"); err != nil {
		t.Fatal(err)
	}

	log, lines := logLines(t)
	done := make(chan error, 1)
	go func() {
		done <- migrate.Apply(t.Context(), db.OwnerURL(), next("ALTER TABLE alpha.things ADD COLUMN more int;"), passwords, log)
	}()
	expect(t, lines, "oldest_transaction=\"pid ")
	if _, err := traffic.Exec(within(t), "INSERT INTO alpha.things (name) VALUES ('short')"); err != nil {
		t.Errorf("a purchase waits for the migration, which waits for somebody else: %v", err)
	}
	select {
	case err := <-done:
		t.Fatalf("it gave up, or went past the lock: %v", err)
	default:
	}
	if err := inTheWay.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	mustExec(t, traffic, "UPDATE alpha.things SET more = 1")
}

func TestAMigrationThatKeepsItsLockForLongIsUndone(t *testing.T) {
	t.Parallel()
	db := live(t)
	err := migrate.Apply(t.Context(), db.OwnerURL(), next("ALTER TABLE alpha.things ADD COLUMN more int;\nSELECT pg_sleep(600);"), passwords, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "kept others waiting") || !strings.Contains(err.Error(), "version:2") {
		t.Errorf("got %v, want that it is refused by name", err)
	}
	var columns int
	if err := db.Owner(t).QueryRow(t.Context(), "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'alpha' AND column_name = 'more'").Scan(&columns); err != nil || columns != 0 {
		t.Errorf("%d columns are left of it (%v)", columns, err)
	}
	mustExec(t, servicePool(t, db.OwnerURL(), "alpha"), "INSERT INTO alpha.things (name) VALUES ('short')")
}

func TestWhichBoundsAMigrationHas(t *testing.T) {
	t.Parallel()
	const told = "CREATE TABLE alpha.bounds AS SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement;"
	for name, c := range map[string]struct {
		first   bool
		migrate string
		want    [2]string
	}{
		"in a transaction": {migrate: told, want: [2]string{"1s", "5s"}},
		// It may build an index for minutes, beside the traffic.
		"outside a transaction": {migrate: "-- +goose NO TRANSACTION\n" + told, want: [2]string{"1s", "0"}},
		"of an empty schema":    {first: true, migrate: told, want: [2]string{"1s", "0"}},
	} {
		t.Run(name, func(t *testing.T) {
			var db *pgtest.DB
			if c.first {
				db = pgtest.New(t)
			} else {
				db = live(t)
			}
			apply(t, db.OwnerURL(), next(c.migrate))
			rows, err := db.Owner(t).Query(t.Context(), "SELECT ARRAY[lock, statement] FROM alpha.bounds")
			if err != nil {
				t.Fatal(err)
			}
			got, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[[2]string])
			if err != nil || got != c.want {
				t.Errorf("lock_timeout and statement_timeout are %v (%v), want %v", got, err, c.want)
			}
		})
	}
}
