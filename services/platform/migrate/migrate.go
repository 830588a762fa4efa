// Package migrate brings every service's schema up to date and gives each
// service a database role that reaches its own schema and nothing else. One
// process may run it or six at once: an advisory lock makes it one after the
// other. Services themselves never migrate; they wait for their version.
package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// Schema is what one service keeps in the database.
type Schema struct {
	Name       string   // of the schema and of the service, such as "orders"
	FS         fs.FS    // goose migrations, *.sql at its root
	River      bool     // River's tables live in the same schema
	AppendOnly []string // tables, without the schema, on which the service may only SELECT and INSERT
}

// lockKey is one arbitrary number that everything migrating a database agrees on.
const lockKey int64 = 0x6d616b65676f6f64 // "makegood"

// lockRetry is how often a waiting process asks for the lock again.
const lockRetry = 200 * time.Millisecond

// Names are restricted to what needs no quoting, because goose does not quote
// its table's name.
var plainName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// versionTable is goose's record of what has been applied in a schema.
func (s Schema) versionTable() string { return s.Name + ".goose_db_version" }

// Apply migrates all schemas and sets up their roles, as the user of ownerURL,
// who needs CREATE on the database and CREATEROLE. Passwords are by schema
// name; a role without an entry keeps the password it has. ownerURL must lead
// to PostgreSQL itself, not to a pooler that shares sessions.
func Apply(ctx context.Context, ownerURL string, schemas []Schema, passwords map[string]string, log *slog.Logger) error {
	cfg, err := pgxpool.ParseConfig(ownerURL)
	if err != nil {
		return errors.New("migrate: the database URL cannot be parsed") // the cause would quote the URL
	}
	database := cfg.ConnConfig.Database
	for _, s := range schemas {
		if err := s.validate(database); err != nil {
			return err
		}
	}

	lock, err := pgx.ConnectConfig(ctx, cfg.ConnConfig.Copy())
	if err != nil {
		return fmt.Errorf("migrate: connect: %w", err)
	}
	// Closing the session is also what releases the lock.
	defer lock.Close(context.WithoutCancel(ctx))
	if err := takeLock(ctx, lock, log); err != nil {
		return err
	}

	db, err := open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.close()

	for _, s := range schemas {
		newer, err := s.up(ctx, db, log)
		if err != nil {
			return fmt.Errorf("migrate %s: %w", s.Name, err)
		}
		role := RoleName(database, s.Name)
		if err := ensureRole(ctx, db.pool, database, role, passwords[s.Name]); err != nil {
			return fmt.Errorf("migrate %s: role %s: %w", s.Name, role, err)
		}
		if newer {
			// After a rollback. Which of its tables are append-only, a later program knows.
			log.WarnContext(ctx, "the schema is newer than this program: its rights are left as they are", "schema", s.Name)
			continue
		}
		if err := unhindered(ctx, db.pool, log, s.Name, func() error { return s.grant(ctx, db.pool, role) }); err != nil {
			return fmt.Errorf("migrate %s: grants to %s: %w", s.Name, role, err)
		}
	}
	return nil
}

func (s Schema) validate(database string) error {
	if !plainName.MatchString(s.Name) {
		return fmt.Errorf("migrate: schema name %q: want lower-case letters, digits and underscores", s.Name)
	}
	if role := RoleName(database, s.Name); len(role) > 63 {
		return fmt.Errorf("migrate: role name %q is longer than PostgreSQL's 63 bytes; use a database with a shorter name", role)
	}
	return nil
}

// takeLock polls instead of waiting inside the server: a statement that waits
// holds a snapshot, and CREATE INDEX CONCURRENTLY in the process that migrates
// would wait for that snapshot to end.
func takeLock(ctx context.Context, conn *pgx.Conn, log *slog.Logger) error {
	for first := true; ; first = false {
		var got bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", lockKey).Scan(&got); err != nil {
			return fmt.Errorf("migrate: take lock: %w", err)
		}
		if got {
			return nil
		}
		if first {
			log.InfoContext(ctx, "another process is migrating this database, waiting for it")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("migrate: wait for the process that is migrating: %w", ctx.Err())
		case <-time.After(lockRetry):
		}
	}
}

// up creates the schema and runs what is missing of River's and its own migrations.
// newer: the schema has migrations that this program does not know.
func (s Schema) up(ctx context.Context, db *databases, log *slog.Logger) (newer bool, err error) {
	if _, err := db.pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+ident(s.Name)); err != nil {
		return false, fmt.Errorf("create schema: %w", err)
	}
	if s.River {
		if err := unhindered(ctx, db.pool, log, s.Name, func() error { return s.riverUp(ctx, db.pool, log) }); err != nil {
			return false, err
		}
	}
	patient, err := s.provider(db.patient)
	if err != nil {
		return false, err
	}
	brief, err := s.provider(db.brief)
	if err != nil {
		return false, err
	}
	first, err := patient.GetDBVersion(ctx)
	if err != nil {
		return false, fmt.Errorf("read the version: %w", err)
	}
	for {
		next, err := s.next(ctx, patient)
		if err != nil {
			return false, err
		}
		with := brief
		if first == 0 || outside.Match(next) { // an empty schema has no traffic
			with = patient
		}
		err = unhindered(ctx, db.pool, log, s.Name, func() error {
			r, err := with.UpByOne(ctx)
			if err == nil {
				log.InfoContext(ctx, "migrated", "schema", s.Name, "part", r.Source.Path, "version", r.Source.Version, "took", r.Duration)
			}
			return err
		})
		switch {
		case errors.Is(err, goose.ErrNoNextVersion):
			return s.isNewer(ctx, patient)
		case code(err) == queryCanceled:
			return false, fmt.Errorf("apply: a statement was undone that kept others waiting for %s; what takes long belongs in a migration outside a transaction: %w", heldAtMost, err)
		case err != nil:
			return false, fmt.Errorf("apply: %w", err)
		}
	}
}

// isNewer says whether the schema is past the last migration that is known here.
func (s Schema) isNewer(ctx context.Context, p *goose.Provider) (bool, error) {
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return false, fmt.Errorf("read the version: %w", err)
	}
	known := p.ListSources() // in their order
	return have > known[len(known)-1].Version, nil
}

func (s Schema) provider(db *sql.DB) (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectPostgres, db, s.FS,
		goose.WithTableName(s.versionTable()), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

// next is the text of the migration that comes next; nothing when none does.
func (s Schema) next(ctx context.Context, p *goose.Provider) ([]byte, error) {
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the version: %w", err)
	}
	for _, source := range p.ListSources() { // in their order
		if source.Version > have {
			return fs.ReadFile(s.FS, source.Path)
		}
	}
	return nil, nil
}

func (s Schema) riverUp(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	m, err := s.riverMigrator(pool, log)
	if err != nil {
		return err
	}
	res, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return fmt.Errorf("river: %w", err)
	}
	for _, v := range res.Versions {
		log.InfoContext(ctx, "migrated", "schema", s.Name, "part", "river", "version", v.Version)
	}
	return nil
}

func (s Schema) riverMigrator(pool *pgxpool.Pool, log *slog.Logger) (*rivermigrate.Migrator[pgx.Tx], error) {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: s.Name, Logger: quiet(log)})
	if err != nil {
		return nil, fmt.Errorf("river: %w", err)
	}
	return m, nil
}

func ident(parts ...string) string { return pgx.Identifier(parts).Sanitize() }

// quiet keeps River's own lines out of the log unless something is wrong;
// what it did is said once, in the same words as for the rest.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(atLeastWarn{log.Handler()}) }

type atLeastWarn struct{ slog.Handler }

func (h atLeastWarn) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}
