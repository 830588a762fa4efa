package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/postgres"
)

// database measures how fast the server commits one row of about 3 KB of JSON
// at a time, which is what any webhook endpoint has to wait for.
type database struct {
	url     string
	pgbench string // empty: a loop of ours does the same
	script  string
	body    []byte
}

const rowsTable = `CREATE SCHEMA IF NOT EXISTS bench;
CREATE TABLE IF NOT EXISTS bench.rows (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), body jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS bench.plain (stripe_event_id text PRIMARY KEY, body jsonb NOT NULL)`

func newDatabase(ctx context.Context, dir string, pool *pgxpool.Pool, url string, body []byte) (*database, error) {
	if _, err := pool.Exec(ctx, rowsTable); err != nil {
		return nil, err
	}
	d := &database{url: url, script: filepath.Join(dir, "insert.sql"), body: bytes.ReplaceAll(body, []byte("\n"), []byte(" "))}
	if err := os.WriteFile(d.script, []byte("INSERT INTO bench.rows (body) VALUES (:body);\n"), 0o644); err != nil {
		return nil, err
	}
	d.pgbench, _ = exec.LookPath("pgbench")
	if bin, err := postgres.Locate(); err == nil {
		if beside, err := exec.LookPath(filepath.Join(bin, "pgbench")); err == nil {
			d.pgbench = beside
		}
	}
	return d, nil
}

// way says how the rate is measured.
func (d *database) way() string {
	if d.pgbench == "" {
		return "a loop of pgx inserts (pgbench is not installed)"
	}
	return "pgbench"
}

var tps = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// measure inserts for a while over that many connections.
func (d *database) measure(ctx context.Context, clients int, lasts time.Duration) (rate, error) {
	if d.pgbench == "" {
		return d.loop(ctx, clients, lasts)
	}
	threads := min(clients, runtime.NumCPU())
	// Its time runs while it still connects, which many clients take a second for.
	seconds := max(1, int(lasts.Round(time.Second).Seconds())) + clients/50
	cmd := exec.CommandContext(ctx, d.pgbench, "--no-vacuum", "--protocol=prepared", "--file="+d.script, "--define=body="+string(d.body),
		"--client="+strconv.Itoa(clients), "--jobs="+strconv.Itoa(threads), "--time="+strconv.Itoa(seconds), d.url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return rate{}, fmt.Errorf("pgbench: %w\n%s", err, bytes.TrimSpace(out))
	}
	found := tps.FindSubmatch(out)
	if found == nil {
		return rate{}, fmt.Errorf("pgbench says no rate:\n%s", out)
	}
	perSecond, err := strconv.ParseFloat(string(found[1]), 64)
	return rate{perSecond: perSecond}, err
}

func (d *database) loop(ctx context.Context, clients int, lasts time.Duration) (rate, error) {
	conns := make([]*pgx.Conn, clients)
	for i := range conns {
		conn, err := pgx.Connect(ctx, d.url)
		if err != nil {
			return rate{}, err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		conns[i] = conn
	}
	var rows atomic.Int64
	var done sync.WaitGroup
	failed := make([]error, clients)
	began := time.Now()
	for i, conn := range conns {
		done.Go(func() {
			for time.Since(began) < lasts && failed[i] == nil {
				_, failed[i] = conn.Exec(ctx, "INSERT INTO bench.rows (id, body) VALUES ($1, $2)", uuid.New(), string(d.body))
				rows.Add(1)
			}
		})
	}
	done.Wait()
	return rate{perSecond: float64(rows.Load()) / time.Since(began).Seconds()}, errors.Join(failed...)
}
