// Package pg holds what every service does with PostgreSQL: opening a pool,
// running a transaction, and recognising a violated constraint by its name.
package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// Open makes a pool. It does not connect: a service starts, and says what it
// waits for, while its database is not up yet.
func Open(ctx context.Context, url, application string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The parse error may quote the URL, password included.
		return nil, errors.New("the database URL cannot be read")
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = application
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// A worker that was killed must not hold row locks until TCP notices.
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "30000"
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	cfg.MaxConnLifetime = 30 * time.Minute
	cfg.ConnConfig.Tracer = tracer()
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		// Without it each id that is sent goes by way of its text, and of an error.
		types := conn.TypeMap()
		types.TryWrapEncodePlanFuncs = append([]pgtype.TryWrapEncodePlanFunc{pgxuuid.TryWrapUUIDEncodePlan}, types.TryWrapEncodePlanFuncs...)
		types.RegisterType(&pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuids{}})
		return nil
	}
	if cfg.MaxConns < 16 {
		cfg.MaxConns = 16
	}
	return pgxpool.NewWithConfig(ctx, cfg)
}

// txTries bounds the retries of a transaction that PostgreSQL asks to repeat.
const txTries = 5

// InTx runs fn in one transaction and commits it. fn may run again, when
// PostgreSQL reports a serialization failure or a deadlock, so it must have no
// effect outside the transaction.
func InTx(ctx context.Context, pool *pgxpool.Pool, fn func(pgx.Tx) error) error {
	var err error
	for try := range txTries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(try) * 10 * time.Millisecond):
			}
		}
		if err = once(ctx, pool, fn); !retryable(err) {
			return err
		}
	}
	return fmt.Errorf("transaction gave up after %d tries: %w", txTries, err)
}

func once(ctx context.Context, pool *pgxpool.Pool, fn func(pgx.Tx) error) error {
	tx, err := pool.Begin(ctx)
	if err != nil {
		return err
	}
	// The rollback must reach the server even when the caller has gone.
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func retryable(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (pe.Code == "40001" || pe.Code == "40P01")
}

// ErrUnavailable is what a caller is told when the database cannot be reached:
// try again, nothing is known to be wrong with the request.
var ErrUnavailable = apperr.New(codes.Unavailable, "DATABASE_UNAVAILABLE", "the service cannot reach its database at the moment")

// Typed gives an error that means "the database is not there" its type, and
// leaves every other as it is.
func Typed(err error) error {
	var pe *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case err == nil || apperr.Of(err) != nil:
		return err
	case errors.As(err, &pe):
		// Connection exceptions, and a server that shuts down or starts.
		if strings.HasPrefix(pe.Code, "08") || strings.HasPrefix(pe.Code, "57P0") {
			return ErrUnavailable.Because(err)
		}
	case errors.As(err, &connect), errors.Is(err, pgconn.ErrConnClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrUnavailable.Because(err)
	}
	return err
}

// ViolatedConstraint returns the name of the constraint that err reports as
// violated, or "".
func ViolatedConstraint(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) && len(pe.Code) == 5 && pe.Code[:2] == "23" {
		return pe.ConstraintName
	}
	return ""
}
