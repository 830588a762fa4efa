// Package postgres runs a private PostgreSQL for development and tests: it
// finds the server's programs or installs them, creates a cluster, and runs it
// on a loopback port so that it never outlives the process that started it.
package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Superuser is the role that owns a private cluster.
const Superuser = "makegood"

// Options say where and how a private cluster runs.
type Options struct {
	Dir     string    // holds data, password and log; the user PostgreSQL runs as must be able to enter it (see UsableDir)
	Port    int       // on 127.0.0.1; 0 picks a free one
	Durable bool      // survives a power failure; off is faster and meant for tests
	Out     io.Writer // is told, in lines for people, what takes time; nil for silence
}

// Cluster is a prepared data directory and the programs to run it with.
type Cluster struct {
	opts     Options
	bin      string // directory of the server's programs
	user     *account
	password string
	port     int
}

// Prepare finds or installs PostgreSQL and creates the cluster if Dir has none;
// data that is there is kept. It does not start the server. When a server still
// runs on the data, as shortly after its parent was killed, it waits for that
// one to end until ctx does.
func Prepare(ctx context.Context, opts Options) (*Cluster, error) {
	if opts.Out == nil {
		opts.Out = io.Discard
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	opts.Dir = dir
	c := &Cluster{opts: opts, port: opts.Port}
	if c.bin, err = Ensure(ctx, opts.Out); err != nil {
		return nil, err
	}
	// After Ensure, because the package may bring the user.
	if c.user, err = serverAccount(c.dataDir()); err != nil {
		return nil, err
	}
	if err := c.ownDir(); err != nil {
		return nil, err
	}
	if err := c.matchVersion(ctx); err != nil {
		return nil, err
	}
	if err := c.initialise(ctx); err != nil {
		return nil, err
	}
	if err := c.clearStaleLock(ctx); err != nil {
		return nil, err
	}
	if c.port == 0 {
		if c.port, err = freePort(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Cluster) dataDir() string      { return filepath.Join(c.opts.Dir, "data") }
func (c *Cluster) passwordFile() string { return filepath.Join(c.opts.Dir, "password") }
func (c *Cluster) logFile() string      { return filepath.Join(c.opts.Dir, "postgres.log") }

// Dir is the folder that holds the cluster's data.
func (c *Cluster) Dir() string { return c.opts.Dir }

// Port is the loopback port the server listens on.
func (c *Cluster) Port() int { return c.port }

// URL leads to a database of the cluster as its superuser, password included.
func (c *Cluster) URL(database string) string {
	return (&url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(Superuser, c.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}).String()
}

// EnsureDatabase creates a database if the running cluster does not have it.
func (c *Cluster) EnsureDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil {
		return fmt.Errorf("postgres: look for database %s: %w", name, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return fmt.Errorf("postgres: create database %s: %w", name, err)
	}
	return nil
}

// initialise runs initdb unless there is a cluster. It works in a folder that
// is renamed when complete, so that an interrupted run leaves nothing half-made.
func (c *Cluster) initialise(ctx context.Context) error {
	if _, err := os.Stat(c.dataDir()); err == nil {
		password, err := os.ReadFile(c.passwordFile())
		if err != nil {
			return fmt.Errorf("postgres: the password of the cluster in %s: %w", c.opts.Dir, err)
		}
		c.password = strings.TrimSpace(string(password))
		return nil
	}
	fmt.Fprintf(c.opts.Out, "creating a PostgreSQL cluster in %s\n", c.opts.Dir)
	c.password = rand.Text()
	if err := c.writeOwned(c.passwordFile(), c.password); err != nil {
		return err
	}
	fresh := c.dataDir() + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	args := append([]string{
		"--pgdata", fresh, "--username", Superuser, "--pwfile", c.passwordFile(),
		"--auth", "scram-sha-256", "--encoding", "UTF8",
	}, localeArgs()...)
	if !c.opts.Durable {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "initdb"), args...)
	c.runAs(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("postgres: initdb: %w\n%s", err, bytes.TrimSpace(out))
	}
	if err := os.Rename(fresh, c.dataDir()); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

// localeArgs order text by its bytes, the same everywhere, and still know what
// a letter is outside ASCII. C.UTF-8 orders by bytes, too, but asks the C library for
// each comparison in an index.
func localeArgs() []string {
	letters := "en_US.UTF-8"
	if runtime.GOOS == "linux" {
		letters = "C.UTF-8"
	}
	return []string{"--locale", "C", "--lc-ctype", letters}
}

// writeOwned writes a file that only the server's user, and root, may read.
func (c *Cluster) writeOwned(path, text string) error {
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return c.user.own(path)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("postgres: find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
