// Package backup saves everything that Makegood keeps, and puts it back. What
// happened after a dump is not lost: Stripe still knows it, and the sweep, which
// notices that history went back, rebuilds it.
package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// pattern is how dumps are named; they sort by their time.
const pattern = "makegood-*.dump"

// Tools runs the programs that come with PostgreSQL.
type Tools struct {
	// Bin is the folder that they are in; empty is PATH.
	Bin string
	// URL is the owner's way to the database.
	URL string
	// Schemas are what belongs to Makegood.
	Schemas []string
}

// Save dumps all schemas, at one moment, into dir and keeps the newest so many
// dumps. A dump that failed leaves nothing.
func (t Tools) Save(ctx context.Context, dir string, now time.Time, keep int) (file string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	file = filepath.Join(dir, "makegood-"+now.UTC().Format("20060102T150405.000Z")+".dump")
	part := file + ".part"
	defer func() { _ = os.Remove(part) }()
	args := []string{"--format=custom", "--file=" + part}
	for _, schema := range t.Schemas {
		args = append(args, "--schema="+schema)
	}
	if err := t.run(ctx, "pg_dump", nil, args...); err != nil {
		return "", err
	}
	if err := os.Rename(part, file); err != nil {
		return "", err
	}
	return file, prune(dir, keep)
}

func prune(dir string, keep int) error {
	dumps, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(dumps) <= keep {
		return err
	}
	slices.Sort(dumps)
	var errs []error
	for _, old := range dumps[:len(dumps)-keep] {
		errs = append(errs, os.Remove(old))
	}
	return errors.Join(errs...)
}

// Restore puts a dump in the place of what there is, in one transaction: it is
// restored whole, or nothing changed. The services must be down.
func (t Tools) Restore(ctx context.Context, file string) error {
	// First all of it is read: a dump that is cut must not cost what there is.
	var script bytes.Buffer
	for _, schema := range t.Schemas {
		fmt.Fprintf(&script, "DROP SCHEMA IF EXISTS %s CASCADE;\n", pgx.Identifier{schema}.Sanitize())
	}
	sql, err := t.output(ctx, "pg_restore", "--file=-", file)
	if err != nil {
		return err
	}
	script.Write(sql)
	return t.run(ctx, "psql", &script, "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction", "--output="+os.DevNull, "--file=-")
}

func (t Tools) run(ctx context.Context, name string, stdin *bytes.Buffer, args ...string) error {
	cmd, err := t.command(ctx, name, args)
	if err != nil {
		return err
	}
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(said)))
	}
	return nil
}

func (t Tools) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd, err := t.command(ctx, name, args)
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(said.String()))
	}
	return out, nil
}

// command tells a program of the database by its environment: a command line is for
// everybody on the machine to read.
func (t Tools) command(ctx context.Context, name string, args []string) (*exec.Cmd, error) {
	cfg, err := pgx.ParseConfig(t.URL)
	if err != nil {
		return nil, errors.New("the database's URL cannot be read") // pgx's own error shows parts of it
	}
	cmd := exec.CommandContext(ctx, filepath.Join(t.Bin, name), args...)
	if t.Bin == "" {
		cmd = exec.CommandContext(ctx, name, args...)
	}
	mode := "disable"
	switch {
	case cfg.TLSConfig != nil && !cfg.TLSConfig.InsecureSkipVerify:
		mode = "verify-full"
	case cfg.TLSConfig != nil:
		mode = "require"
	}
	cmd.Env = append(os.Environ(), "PGHOST="+cfg.Host, "PGPORT="+strconv.Itoa(int(cfg.Port)), "PGUSER="+cfg.User,
		"PGPASSWORD="+cfg.Password, "PGDATABASE="+cfg.Database, "PGSSLMODE="+mode, "PGCONNECT_TIMEOUT=10")
	return cmd, nil
}
