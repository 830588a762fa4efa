package migrate_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pgtest"
)

// logLines is a logger and the lines that it writes.
func logLines(t *testing.T) (*slog.Logger, <-chan string) {
	t.Helper()
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	lines := make(chan string, 100)
	go func() {
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return slog.New(slog.NewTextHandler(w, nil)), lines
}

func expect(t *testing.T, lines <-chan string, part string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case line := <-lines:
			if strings.Contains(line, "secret") {
				t.Errorf("a password is in the log: %s", line)
			}
			if strings.Contains(line, part) {
				return
			}
		case <-deadline:
			t.Fatalf("never logged: %s", part)
		}
	}
}

func TestWaitForFollowsTheDatabaseIntoBeing(t *testing.T) {
	db := pgtest.New(t)
	newer := schemas()[0]
	older := newer
	older.FS, older.River = files(alphaThings), false
	older.AppendOnly = nil

	// Neither the role nor the schema exists yet.
	pool := servicePool(t, db.OwnerURL(), "alpha")
	log, lines := logLines(t)
	done := make(chan error, 1)
	go func() { done <- migrate.WaitFor(t.Context(), pool, newer, log) }()
	expect(t, lines, "waiting for the database schema")

	apply(t, db.OwnerURL(), []migrate.Schema{older})
	expect(t, lines, "schema is at version 1")
	select {
	case err := <-done:
		t.Fatalf("returned before its version was there: %v", err)
	default:
	}
	apply(t, db.OwnerURL(), []migrate.Schema{newer})
	expect(t, lines, "the database schema is ready")
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	// A binary from before the last migration goes on working, without a word.
	if err := migrate.WaitFor(t.Context(), pool, older, slog.New(slog.NewTextHandler(failing{t}, nil))); err != nil {
		t.Fatal(err)
	}
}

func TestWaitForRiver(t *testing.T) {
	db := pgtest.New(t)
	s := schemas()[0]
	s.River = false
	apply(t, db.OwnerURL(), []migrate.Schema{s})
	s.River = true
	log, lines := logLines(t)
	done := make(chan error, 1)
	go func() { done <- migrate.WaitFor(t.Context(), servicePool(t, db.OwnerURL(), "alpha"), s, log) }()
	expect(t, lines, "river_migration")
	apply(t, db.OwnerURL(), []migrate.Schema{s})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestWaitForEndsWithItsContextAndSaysWhatWasMissing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	pool := servicePool(t, "postgres://owner:pw@127.0.0.1:1/nowhere?sslmode=disable", "alpha")
	log, lines := logLines(t)
	done := make(chan error, 1)
	go func() { done <- migrate.WaitFor(ctx, pool, schemas()[0], log) }()
	expect(t, lines, "connection refused")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "schema alpha version 2") {
		t.Errorf("got %v", err)
	}
}

type failing struct{ t *testing.T }

func (f failing) Write(line []byte) (int, error) {
	f.t.Errorf("unexpected: %s", line)
	return len(line), nil
}
