package pagebench

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/postgres"
)

// Database is one schema on a server of its own that keeps what it commits, as the
// product's does: one commit for each row is part of what the usual way costs.
type Database struct {
	service, url string // as the service's role
	owner        *pgxpool.Pool
	laps         int
}

// Durable makes one, which is removed when the benchmark ends.
func Durable(b *testing.B, schema migrate.Schema) *Database {
	b.Helper()
	dir := postgres.UsableDir(filepath.Join(os.TempDir(), "makegood-pagebench-"+rand.Text()))
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	cluster, err := postgres.Prepare(b.Context(), postgres.Options{Dir: dir, Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	server, err := cluster.Start(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	const name = "bench"
	if err := cluster.EnsureDatabase(b.Context(), name); err != nil {
		b.Fatal(err)
	}
	password := rand.Text()
	if err := migrate.Apply(b.Context(), cluster.URL(name), []migrate.Schema{schema}, map[string]string{schema.Name: password}, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	url, err := migrate.ServiceURL(cluster.URL(name), schema.Name, password)
	if err != nil {
		b.Fatal(err)
	}
	owner, err := pg.Open(b.Context(), cluster.URL(name), "bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(owner.Close)
	return &Database{service: schema.Name, url: url, owner: owner}
}

// Pool is connected as the service's role.
func (db *Database) Pool(b *testing.B) *pgxpool.Pool {
	b.Helper()
	pool, err := pg.Open(b.Context(), db.url, db.service)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return pool
}

// Fill is Fill of this database.
func (db *Database) Fill(b *testing.B, table, insert string, args ...any) {
	b.Helper()
	Fill(b, db.owner, table, insert, args...)
}

// Fill fills a table in bulk by INSERT ... SELECT: as the owner, without its
// secondary indexes, which are made again behind it, and without foreign keys.
func Fill(b testing.TB, owner *pgxpool.Pool, table, insert string, args ...any) {
	b.Helper()
	ctx := b.Context()
	conn, err := owner.Acquire(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, `SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index AS i
		WHERE i.indrelid = $1::regclass AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)`, table)
	if err != nil {
		b.Fatal(err)
	}
	var drop, again []string
	for rows.Next() {
		var name, definition string
		if err := rows.Scan(&name, &definition); err != nil {
			b.Fatal(err)
		}
		drop, again = append(drop, "DROP INDEX "+name), append(again, definition)
	}
	if rows.Err() != nil {
		b.Fatal(rows.Err())
	}
	run := func(statement string, args ...any) {
		if _, err := conn.Exec(ctx, statement, args...); err != nil {
			b.Fatal(fmt.Errorf("%s: %w", statement, err))
		}
	}
	run("SET session_replication_role = replica")
	for _, statement := range drop {
		run(statement)
	}
	run(insert, args...)
	for _, statement := range again {
		run(statement)
	}
	run("VACUUM ANALYZE " + table)
	run("RESET session_replication_role")
}
