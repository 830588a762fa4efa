package pgtest_test

import (
	"testing"
	"testing/fstest"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m,
		migrate.Schema{Name: "alpha", FS: fstest.MapFS{"1_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE alpha.notes (word text);\nCREATE TABLE alpha.history (word text);")}}, AppendOnly: []string{"history"}},
		migrate.Schema{Name: "beta", FS: fstest.MapFS{"1_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE beta.notes (word text);")}}},
	)
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	for _, name := range []string{"one", "two", "three"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			if _, err := db.Pool(t, "alpha").Exec(t.Context(), "INSERT INTO alpha.notes VALUES ($1)", name); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := db.Owner(t).QueryRow(t.Context(), "SELECT count(*) FROM alpha.notes").Scan(&n); err != nil || n != 1 {
				t.Errorf("%d rows, %v", n, err)
			}
		})
	}
}

func TestAClonedServiceHasNoMoreRightsThanTheRealOne(t *testing.T) {
	db := pgtest.New(t)
	pool := db.Pool(t, "alpha")
	if _, err := pool.Exec(t.Context(), "INSERT INTO alpha.history VALUES ('x')"); err != nil {
		t.Error(err)
	}
	for _, statement := range []string{"SELECT * FROM beta.notes", "UPDATE alpha.history SET word = ''", "CREATE TABLE alpha.more (id int)"} {
		if _, err := pool.Exec(t.Context(), statement); err == nil {
			t.Errorf("allowed: %s", statement)
		}
	}
}

func TestTheCloneIsDroppedWithItsTest(t *testing.T) {
	var name string
	t.Run("inner", func(t *testing.T) {
		db := pgtest.New(t)
		name = db.Name
		db.Pool(t, "beta")
	})
	var exists bool
	err := pgtest.New(t).Owner(t).QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists)
	if err != nil || exists {
		t.Errorf("%s still exists: %t, %v", name, exists, err)
	}
}
