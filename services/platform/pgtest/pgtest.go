// Package pgtest gives every test a real PostgreSQL database of its own: one
// private cluster per test process, one migrated template in it, and a clone of
// the template per test, which takes some ten milliseconds.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/postgres"
)

const (
	template     = "makegood"      // the migrated database that tests get clones of
	startTimeout = 5 * time.Minute // on a fresh machine PostgreSQL is installed first
	callTimeout  = 30 * time.Second
	closeTimeout = 5 * time.Second
)

// running is what Main set up for the tests of this process.
var running struct {
	cluster *postgres.Cluster
	urls    map[string]string // by service: the template's URL with the service role's credentials
	clones  atomic.Int64
}

// Main is the body of TestMain: it starts the cluster, migrates the template,
// runs the tests, removes everything and exits the process.
func Main(m *testing.M, schemas ...migrate.Schema) {
	code, err := run(m, schemas)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(m *testing.M, schemas []migrate.Schema) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	dir := workDir()
	defer os.RemoveAll(dir)
	cluster, err := postgres.Prepare(ctx, postgres.Options{Dir: dir, Out: os.Stderr})
	if err != nil {
		return 1, err
	}
	server, err := cluster.Start(ctx)
	if err != nil {
		return 1, err
	}
	defer func() {
		if stopErr := server.Stop(); err == nil {
			err = stopErr
		}
	}()
	if err := makeTemplate(ctx, cluster, schemas); err != nil {
		return 1, err
	}
	running.cluster = cluster
	return m.Run(), nil
}

// makeTemplate migrates the template and closes it to connections, because a
// database that someone is connected to cannot be cloned.
func makeTemplate(ctx context.Context, cluster *postgres.Cluster, schemas []migrate.Schema) error {
	if err := cluster.EnsureDatabase(ctx, template); err != nil {
		return err
	}
	running.urls = make(map[string]string, len(schemas))
	passwords := make(map[string]string, len(schemas))
	for _, s := range schemas {
		passwords[s.Name] = "only-for-tests"
		u, err := migrate.ServiceURL(cluster.URL(template), s.Name, passwords[s.Name])
		if err != nil {
			return err
		}
		running.urls[s.Name] = u
	}
	if err := migrate.Apply(ctx, cluster.URL(template), schemas, passwords, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	return admin(ctx, cluster, "ALTER DATABASE "+template+" ALLOW_CONNECTIONS false")
}

// DB is the database of one test.
type DB struct {
	Name  string
	owner string // URL of the owner
}

// New clones the template; the clone is dropped when the test ends. It fails
// the test when TestMain did not call Main.
func New(t testing.TB) *DB {
	t.Helper()
	if running.cluster == nil {
		t.Fatal("pgtest: no database is running; call pgtest.Main from TestMain")
	}
	name := fmt.Sprintf("%s_test_%d", template, running.clones.Add(1))
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	// A clone keeps schemas, owners and the rights inside it. It does not keep
	// rights on the database itself; there, everyone may connect by default.
	if err := admin(ctx, running.cluster, "CREATE DATABASE "+name+" TEMPLATE "+template+" STRATEGY file_copy"); err != nil {
		t.Fatalf("pgtest: clone the template: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		if err := admin(ctx, running.cluster, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("pgtest: drop the clone: %v", err)
		}
	})
	return &DB{Name: name, owner: running.cluster.URL(name)}
}

// URL is this database as the role of a service sees it, for a process that
// the test starts. An unknown service gives an empty string.
func (d *DB) URL(service string) string {
	u, err := url.Parse(running.urls[service])
	if err != nil || u.Host == "" {
		return ""
	}
	// The roles are the template's: they belong to the cluster, not to a clone.
	u.Path = "/" + d.Name
	return u.String()
}

// OwnerURL is this database as its owner and superuser sees it.
func (d *DB) OwnerURL() string { return d.owner }

// Pool is connected as the role of a service and closed when the test ends.
func (d *DB) Pool(t testing.TB, service string) *pgxpool.Pool {
	t.Helper()
	u := d.URL(service)
	if u == "" {
		t.Fatalf("pgtest: service %q has no schema in pgtest.Main", service)
	}
	return open(t, u)
}

// Owner is connected as the owner of all schemas, to arrange and to inspect.
func (d *DB) Owner(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return open(t, d.owner)
}

func open(t testing.TB, u string) *pgxpool.Pool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	cfg, err := pgxpool.ParseConfig(u)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	cfg.MaxConns = 10
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() { pool.Close(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(closeTimeout):
			t.Errorf("pgtest: the test ended with %d connections in use", pool.Stat().AcquiredConns())
		}
	})
	return pool
}

// admin runs one statement outside the template and its clones.
func admin(ctx context.Context, cluster *postgres.Cluster, statement string) error {
	conn, err := pgx.Connect(ctx, cluster.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, statement)
	return err
}

const (
	dirPrefix = "makegood-pgtest-"
	abandoned = 24 * time.Hour // no test process lives that long
)

// workDir names a folder that PostgreSQL's user can enter, and removes what
// test processes left that were killed before they could.
func workDir() string {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range old {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > abandoned {
			os.RemoveAll(dir)
		}
	}
	return postgres.UsableDir(filepath.Join(os.TempDir(), dirPrefix+rand.Text()))
}
