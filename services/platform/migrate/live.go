package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// A migration of a database in use must not stand in anybody's way. Whoever
// waits for a table's lock has everybody who comes later wait behind them, so a
// migration waits for a moment only, is undone, lets the traffic through, and
// tries again. What holds its locks for long is not finished at all.
const (
	lockTimeout = time.Second      // for one lock
	lockPause   = time.Second      // between two tries, for the traffic
	lockWithin  = 10 * time.Minute // for all tries of one step: a dump holds its locks as long as it takes
	heldAtMost  = 5 * time.Second  // for one statement of a migration in a transaction, which keeps its locks
)

// PostgreSQL's codes.
const (
	lockNotAvailable = "55P03"
	deadlockDetected = "40P01"
	queryCanceled    = "57014"
)

// outside says that a migration's statements are not one transaction. What
// takes long and blocks nobody, such as CREATE INDEX CONCURRENTLY, is in such a
// file, and may be run again when it was broken off.
var outside = regexp.MustCompile(`(?m)^-- \+goose NO TRANSACTION\s*$`)

// databases are two ways to the same one.
type databases struct {
	pool *pgxpool.Pool // waits for locks only briefly
	// patient is the same for goose; brief also ends statements that take long.
	patient, brief *sql.DB
	close          func()
}

func open(ctx context.Context, cfg *pgxpool.Config) (*databases, error) {
	cfg = cfg.Copy()
	cfg.MaxConns = 2
	cfg.ConnConfig.RuntimeParams["lock_timeout"] = milliseconds(lockTimeout)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("migrate: open pool: %w", err)
	}
	cfg = cfg.Copy()
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = milliseconds(heldAtMost)
	briefPool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("migrate: open pool: %w", err)
	}
	d := &databases{pool: pool, patient: stdlib.OpenDBFromPool(pool), brief: stdlib.OpenDBFromPool(briefPool)}
	d.close = func() {
		_, _ = d.patient.Close(), d.brief.Close() // the pools are what holds connections
		pool.Close()
		briefPool.Close()
	}
	return d, nil
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// unhindered repeats a step that was refused a lock, or that PostgreSQL chose
// to end a deadlock. Every step can be repeated: it was undone, or is made of
// statements that find what was done before.
func unhindered(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger, schema string, step func() error) error {
	for began, tries := time.Now(), 1; ; tries++ {
		err := step()
		if refused := code(err); refused != lockNotAvailable && refused != deadlockDetected {
			return err
		}
		log.InfoContext(ctx, "a table is in use, trying again", "schema", schema, "tries", tries, "reason", err, "oldest_transaction", oldest(ctx, pool))
		if time.Since(began) > lockWithin {
			return fmt.Errorf("a table was in use for %s (the oldest transaction: %s): %w", lockWithin, oldest(ctx, pool), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(lockPause):
		}
	}
}

// oldest describes, for whoever reads the log, the session that is most likely
// in the way. Its statement is not told: it may name people.
func oldest(ctx context.Context, pool *pgxpool.Pool) string {
	var session string
	err := pool.QueryRow(ctx, `SELECT format('pid %s of %s (%s), begun %s', pid, usename, coalesce(nullif(application_name, ''), 'unnamed'), to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
		FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1`).Scan(&session)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "none"
	case err != nil:
		return "not known"
	}
	return session
}

// code is PostgreSQL's code of an error, or nothing.
func code(err error) string {
	if said := new(pgconn.PgError); errors.As(err, &said) {
		return said.Code
	}
	return ""
}
