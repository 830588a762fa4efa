package pg_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, migrate.Schema{Name: "bank", FS: fstest.MapFS{"1_accounts.sql": {Data: []byte(`-- +goose Up
CREATE TABLE bank.accounts (id int PRIMARY KEY, minor bigint NOT NULL, CONSTRAINT accounts_minor CHECK (minor >= 0));
INSERT INTO bank.accounts VALUES (1, 100), (2, 100);`)}}})
}

func open(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pg.Open(t.Context(), url, "bank")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func sum(t *testing.T, pool *pgxpool.Pool) (n int64) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), "SELECT sum(minor) FROM bank.accounts").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestATransactionThatPostgreSQLWantsAgain(t *testing.T) {
	pool := open(t, pgtest.New(t).URL("bank"))
	for _, state := range []string{"40001", "40P01"} {
		tries := 0
		before := sum(t, pool)
		err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			tries++
			if _, err := tx.Exec(t.Context(), "UPDATE bank.accounts SET minor = minor + 1 WHERE id = 1"); err != nil {
				return err
			}
			if tries < 3 {
				_, err := tx.Exec(t.Context(), "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '"+state+"'; END $$")
				return err
			}
			return nil
		})
		if err != nil || tries != 3 || sum(t, pool) != before+1 {
			t.Errorf("%s: %d tries, %v, sum %d after %d", state, tries, err, sum(t, pool), before)
		}
	}
	for state, want := range map[string]int{"40001": 5, "23505": 1, "57014": 1} {
		tries := 0
		err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			tries++
			_, err := tx.Exec(t.Context(), "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '"+state+"'; END $$")
			return err
		})
		var pe *pgconn.PgError
		if tries != want || !errors.As(err, &pe) || pe.Code != state {
			t.Errorf("%s for ever: %d tries, %v", state, tries, err)
		}
	}
}

func TestARealDeadlockIsWorkedOut(t *testing.T) {
	pool := open(t, pgtest.New(t).URL("bank"))
	var both, done sync.WaitGroup
	both.Add(2)
	first := [2]sync.Once{}
	for i := range 2 {
		done.Go(func() {
			one, other := 1+i, 2-i
			err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				if _, err := tx.Exec(t.Context(), "UPDATE bank.accounts SET minor = minor + 1 WHERE id = $1", one); err != nil {
					return err
				}
				first[i].Do(func() { both.Done(); both.Wait() })
				_, err := tx.Exec(t.Context(), "UPDATE bank.accounts SET minor = minor + 1 WHERE id = $1", other)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if got := sum(t, pool); got != 204 {
		t.Errorf("sum %d", got)
	}
}

func TestARollbackSurvivesItsCaller(t *testing.T) {
	pool := open(t, pgtest.New(t).URL("bank"))
	ours := errors.New("the caller has gone")
	ctx, leave := context.WithCancel(t.Context())
	err := pg.InTx(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE bank.accounts SET minor = 0 WHERE id = 1"); err != nil {
			return err
		}
		leave()
		return ours
	})
	if !errors.Is(err, ours) {
		t.Errorf("%v", err)
	}
	// The row is free at once, not when the server notices.
	if _, err := pool.Exec(t.Context(), "SELECT * FROM bank.accounts WHERE id = 1 FOR UPDATE NOWAIT"); err != nil {
		t.Errorf("still locked: %v", err)
	}
	if got := sum(t, pool); got != 200 {
		t.Errorf("sum %d", got)
	}

	ctx, leave = context.WithCancel(t.Context())
	if err := pg.InTx(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE bank.accounts SET minor = 0 WHERE id = 1")
		leave()
		return err
	}); err == nil || sum(t, pool) != 200 {
		t.Errorf("committed for nobody: %v", err)
	}

	func() {
		defer func() { _ = recover() }()
		_ = pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			_, _ = tx.Exec(t.Context(), "UPDATE bank.accounts SET minor = 0 WHERE id = 1")
			panic("a bug")
		})
	}()
	if _, err := pool.Exec(t.Context(), "SELECT * FROM bank.accounts WHERE id = 1 FOR UPDATE NOWAIT"); err != nil || sum(t, pool) != 200 {
		t.Errorf("after a panic: %v, sum %d", err, sum(t, pool))
	}
	if n := pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are lost", n)
	}
}

func TestAViolatedConstraintHasItsName(t *testing.T) {
	pool := open(t, pgtest.New(t).URL("bank"))
	for statement, want := range map[string]string{
		"UPDATE bank.accounts SET minor = -1":     "accounts_minor",
		"INSERT INTO bank.accounts VALUES (1, 1)": "accounts_pkey",
		"SELECT 1/0": "",
		"INSERT INTO bank.accounts VALUES (3, 100)": "",
	} {
		_, err := pool.Exec(t.Context(), statement)
		if got := pg.ViolatedConstraint(err); got != want {
			t.Errorf("%s: %q, want %q", statement, got, want)
		}
	}
	if pg.ViolatedConstraint(errors.New("accounts_pkey")) != "" {
		t.Error("read from a message")
	}
}

func TestADatabaseThatIsAway(t *testing.T) {
	db := pgtest.New(t)
	pool := open(t, db.URL("bank"))
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Owner(t).Exec(t.Context(), "SELECT pg_terminate_backend($1, 5000)", pid); err != nil {
		t.Fatal(err)
	}
	// The first question finds the end out, the next is not even sent.
	for range 2 {
		_, err = conn.Exec(t.Context(), "SELECT 1")
		if e := apperr.Of(pg.Typed(err)); e == nil || e.Code != codes.Unavailable {
			t.Errorf("a connection that was ended: %v", pg.Typed(err))
		}
	}
	conn.Release()

	nobody := open(t, "postgres://bank:hunter2@127.0.0.1:1/bank")
	_, err = nobody.Exec(t.Context(), "SELECT 1")
	typed := pg.Typed(err)
	if !errors.Is(typed, pg.ErrUnavailable) || strings.Contains(apperr.ToStatus(typed).Error(), "hunter2") {
		t.Errorf("nobody there: %v", typed)
	}
	_, err = pool.Exec(t.Context(), "SELECT 1/0")
	if err == nil || pg.Typed(err) != err || pg.Typed(nil) != nil {
		t.Error("another error got a type")
	}
}

func TestAnAddressThatCannotBeReadIsNotShown(t *testing.T) {
	_, err := pg.Open(t.Context(), "postgres://bank:hunter2@[half", "bank")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func TestEverySessionIsMarkedAndGuarded(t *testing.T) {
	pool := open(t, pgtest.New(t).URL("bank"))
	var name, zone, idle string
	if err := pool.QueryRow(t.Context(), "SELECT current_setting('application_name'), current_setting('timezone'), current_setting('idle_in_transaction_session_timeout')").Scan(&name, &zone, &idle); err != nil {
		t.Fatal(err)
	}
	if name != "bank" || zone != "UTC" || idle != (30*time.Second).String() {
		t.Errorf("%s %s %s", name, zone, idle)
	}
}

func TestIDsAreReadAsTheyAre(t *testing.T) {
	pool := open(t, pgtest.New(t).URL("bank"))
	const text = "0192f0c1-2b3c-7d4e-8f5a-6b7c8d9e0f1a"
	id, none := uuid.Nil, uuid.New()
	var pointer, noPointer *uuid.UUID
	var list []uuid.UUID
	if err := pool.QueryRow(t.Context(), "SELECT $1::uuid, NULL::uuid, $1::uuid, NULL::uuid, ARRAY[$1::uuid]", text).Scan(&id, &none, &pointer, &noPointer, &list); err != nil {
		t.Fatal(err)
	}
	if id.String() != text || none != uuid.Nil || pointer == nil || pointer.String() != text || noPointer != nil || len(list) != 1 || list[0] != id {
		t.Errorf("%s %s %v %v %v", id, none, pointer, noPointer, list)
	}
}
