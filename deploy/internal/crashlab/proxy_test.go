package crashlab

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, migrate.Schema{Name: "bank", FS: fstest.MapFS{"1_accounts.sql": {Data: []byte(`-- +goose Up
CREATE TABLE bank.accounts (id int PRIMARY KEY, minor bigint NOT NULL);
INSERT INTO bank.accounts VALUES (1, 100);`)}}})
}

// orders has the proxy make one fault, at the first moment that fits.
type orders struct {
	mu      sync.Mutex
	kind    kind
	fits    func(moment) bool
	seen    []moment
	struck  atomic.Int32
	kills   atomic.Int32
	ordered bool
}

func (o *orders) armed(string) bool { return true }

func (o *orders) reached(m moment) *fault {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, m)
	if o.ordered || o.fits == nil || !o.fits(m) {
		return nil
	}
	o.ordered = true
	return &fault{kind: o.kind, moment: m, struck: func() { o.struck.Add(1) }, kill: func() { o.kills.Add(1) }}
}

func proxied(t *testing.T, o *orders) (through *pgx.Conn, minor func() int64) {
	t.Helper()
	db := pgtest.New(t)
	p, url, err := newProxy("bank", db.URL("bank"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	owner := db.Owner(t)
	return conn, func() (n int64) {
		t.Helper()
		if err := owner.QueryRow(t.Context(), "SELECT minor FROM bank.accounts WHERE id = 1").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

const add = "-- name: Add :exec\nUPDATE bank.accounts SET minor = minor + $1 WHERE id = 1"

// alone and together are the two ways to write.
func alone(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, add, 1)
	return err
}

func together(ctx context.Context, c *pgx.Conn) error {
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, add, 1)
		return err
	})
}

func TestEachFaultIsWhatItSays(t *testing.T) {
	byItself := func(m moment) bool { return m.durable && !m.commit }
	inside := func(m moment) bool { return !m.durable }
	atCommit := func(m moment) bool { return m.commit }
	for _, c := range []struct {
		name  string
		write func(context.Context, *pgx.Conn) error
		fits  func(moment) bool
		kind  kind
		minor int64  // afterwards, from 100
		state string // SQLSTATE; "" when the connection is lost
	}{
		{"an error alone", alone, byItself, anError, 100, "58030"},
		{"to be repeated, alone", alone, byItself, serialization, 100, "40001"},
		{"lost alone", alone, byItself, lostBefore, 100, ""},
		{"lost alone, but done", alone, byItself, lostAfter, 101, ""},
		{"killed alone", alone, byItself, killBefore, 100, ""},
		{"killed alone, but done", alone, byItself, killAfter, 101, ""},
		{"an error inside", together, inside, anError, 100, "58030"},
		{"to be repeated, inside", together, inside, serialization, 100, "40001"},
		{"lost inside", together, inside, lostBefore, 100, ""},
		{"killed inside", together, inside, killBefore, 100, ""},
		{"an error at the commit", together, atCommit, anError, 100, "58030"},
		{"to be repeated, at the commit", together, atCommit, serialization, 100, "40001"},
		{"lost at the commit", together, atCommit, lostBefore, 100, ""},
		{"lost at the commit, but done", together, atCommit, lostAfter, 101, ""},
		{"killed at the commit", together, atCommit, killBefore, 100, ""},
		{"killed at the commit, but done", together, atCommit, killAfter, 101, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &orders{kind: c.kind, fits: c.fits}
			conn, minor := proxied(t, o)
			err := c.write(t.Context(), conn)
			var refused *pgconn.PgError
			switch {
			case err == nil:
				t.Error("nothing went wrong")
			case c.state != "" && (!errors.As(err, &refused) || refused.Code != c.state):
				t.Errorf("%v, want SQLSTATE %s", err, c.state)
			case c.state == "" && (errors.As(err, &refused) || !conn.IsClosed()):
				t.Errorf("%v, and the connection is closed: %v", err, conn.IsClosed())
			}
			// A session that ended takes back what it had not committed.
			for until := time.Now().Add(10 * time.Second); minor() != c.minor && time.Now().Before(until); {
				time.Sleep(5 * time.Millisecond)
			}
			if got := minor(); got != c.minor {
				t.Errorf("the account has %d, want %d", got, c.minor)
			}
			if c.kind.kills() != (o.kills.Load() == 1) || c.kind.kills() == (o.struck.Load() == 1) {
				t.Errorf("struck %d times, killed %d times", o.struck.Load(), o.kills.Load())
			}
			if c.state != "" { // and the session works on, as after any error
				if err := c.write(t.Context(), conn); err != nil || minor() != 101 {
					t.Errorf("afterwards: %v, %d", err, minor())
				}
			}
		})
	}
}

func TestEveryWriteIsSeenAndNothingIsChanged(t *testing.T) {
	o := &orders{}
	conn, minor := proxied(t, o)
	ctx := t.Context()
	var n int
	for _, err := range []error{
		alone(ctx, conn), together(ctx, conn),
		conn.QueryRow(ctx, "SELECT count(*) FROM bank.accounts").Scan(&n),
		conn.QueryRow(ctx, "WITH a AS (UPDATE bank.accounts SET minor = minor + 1 WHERE id = $1 RETURNING id) SELECT id FROM a", 1).Scan(&n),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// Nothing is changed by what finds nothing, and what is refused changes nothing.
	if _, err := conn.Exec(ctx, "UPDATE bank.accounts SET minor = 0 WHERE id = $1", 7); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "INSERT INTO bank.accounts VALUES ($1, 0)", 1); err == nil {
		t.Fatal("a second account of the same id")
	}
	batch := &pgx.Batch{}
	batch.Queue(add, 1)
	batch.Queue("INSERT INTO bank.accounts VALUES ($1, 0)", 2)
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		t.Fatal(err)
	}
	if got := minor(); got != 104 {
		t.Errorf("the account has %d", got)
	}
	var points []string
	for _, m := range o.seen {
		points = append(points, pointOf("bank", m).String())
	}
	want := []string{
		"bank: bank Add [UPDATE bank.accounts], by itself durable",
		"bank: bank Add [UPDATE bank.accounts], in a transaction",
		"bank: bank Add [UPDATE bank.accounts], at the commit",
		"bank: bank WITH a AS [UPDATE bank.accounts], by itself durable",
		"bank: bank Add + INSERT INTO bank.accounts [UPDATE bank.accounts, INSERT bank.accounts], by itself durable",
	}
	if len(points) != len(want) {
		t.Fatalf("points %q", points)
	}
	for i := range want {
		if points[i] != want[i] {
			t.Errorf("point %q, want %q", points[i], want[i])
		}
	}
}
