package migrate

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
)

const (
	waitFirst   = 100 * time.Millisecond // pause after the first look, doubled up to waitLongest
	waitLongest = 2 * time.Second
	waitLook    = 5 * time.Second  // deadline of one look
	waitRepeat  = 15 * time.Second // an unchanged reason is logged again after this
)

// WaitFor returns when the schema's version in the database, and River's if it
// uses River, is at least what this binary embeds. Until then it says in the
// log what it is waiting for, also when there is no server, database, role or
// schema yet. It ends early only with ctx.
func WaitFor(ctx context.Context, pool *pgxpool.Pool, s Schema, log *slog.Logger) error {
	want, err := s.embedded()
	if err != nil {
		return err
	}
	wantRiver := 0
	if s.River {
		m, err := s.riverMigrator(pool, log)
		if err != nil {
			return err
		}
		all := m.AllVersions()
		wantRiver = all[len(all)-1].Version
	}

	said, saidAt := "", time.Time{}
	for pause := waitFirst; ; pause = min(2*pause, waitLongest) {
		missing := s.missing(ctx, pool, want, wantRiver)
		if missing == "" {
			if said != "" {
				log.InfoContext(ctx, "the database schema is ready", "schema", s.Name, "version", want)
			}
			return nil
		}
		if missing != said || time.Since(saidAt) >= waitRepeat {
			said, saidAt = missing, time.Now()
			log.InfoContext(ctx, "waiting for the database schema", "schema", s.Name, "version", want, "reason", missing)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for schema %s version %d (%s): %w", s.Name, want, missing, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// missing says what the database lacks, or nothing when it is ready. Any error
// is a reason to wait: whoever migrates creates the database's contents and
// the role that this very pool connects with.
func (s Schema) missing(ctx context.Context, pool *pgxpool.Pool, want int64, wantRiver int) string {
	ctx, cancel := context.WithTimeout(ctx, waitLook)
	defer cancel()
	var have int64
	if err := pool.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+s.versionTable()).Scan(&have); err != nil {
		return err.Error()
	}
	if have < want {
		return fmt.Sprintf("schema is at version %d", have)
	}
	if !s.River {
		return ""
	}
	var haveRiver int
	if err := pool.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM "+ident(s.Name, "river_migration")+" WHERE line = 'main'").Scan(&haveRiver); err != nil {
		return err.Error()
	}
	if haveRiver < wantRiver {
		return fmt.Sprintf("river is at version %d of %d", haveRiver, wantRiver)
	}
	return ""
}

// embedded is the highest version among the schema's migration files.
func (s Schema) embedded() (int64, error) {
	files, err := fs.Glob(s.FS, "*.sql")
	if err != nil {
		return 0, fmt.Errorf("migrations of %s: %w", s.Name, err)
	}
	var highest int64
	for _, f := range files {
		v, err := goose.NumericComponent(f)
		if err != nil {
			return 0, fmt.Errorf("migrations of %s: %s: %w", s.Name, f, err)
		}
		highest = max(highest, v)
	}
	if highest == 0 {
		return 0, fmt.Errorf("migrations of %s: no *.sql file at the root of its FS", s.Name)
	}
	return highest, nil
}
