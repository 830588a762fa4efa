package oneprocess

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// kept are the tables that are not a history's: which migrations ran, and who among
// River's clients leads.
var kept = []string{"goose_db_version", "river_migration", "river_leader", "river_client", "river_client_queue", "river_queue"}

// beginning is what the tables hold before anything happens.
type beginning struct {
	at      time.Time
	tables  []string
	filled  []string          // those with rows, which are copied
	columns map[string]string // of each of them, with all times moved
}

// remember copies what a new world holds, so that it can begin again.
func (w *World) remember() error {
	rows, err := w.DB.Query(w.t.Context(), `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables
		WHERE table_type = 'BASE TABLE' AND table_schema = ANY ($1) AND table_name <> ALL ($2) ORDER BY 1`, schemas(), kept)
	if err != nil {
		return err
	}
	if w.first.tables, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return err
	}
	if w.first.filled, err = w.withRows(); err != nil {
		return err
	}
	sql := "CREATE SCHEMA first_moment"
	for _, table := range w.first.filled {
		sql += fmt.Sprintf("; CREATE TABLE %s AS SELECT * FROM %s", copyOf(table), table)
	}
	if _, err = w.DB.Exec(w.t.Context(), sql); err != nil {
		return err
	}
	w.first.at, w.first.columns = w.Clock.Now(), map[string]string{}
	for _, table := range w.first.filled {
		row := w.DB.QueryRow(w.t.Context(), `SELECT string_agg(quote_ident(attname) || CASE atttypid WHEN 'timestamptz'::regtype THEN ' + moved.by' ELSE '' END, ', ' ORDER BY attnum)
			FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`, copyOf(table))
		var columns string
		if err := row.Scan(&columns); err != nil {
			return err
		}
		w.first.columns[table] = columns
	}
	return nil
}

func schemas() (names []string) {
	for _, s := range services {
		names = append(names, s.name)
	}
	return names
}

func copyOf(table string) string { return "first_moment." + strings.ReplaceAll(table, ".", "_") }

// withRows are the tables that are not empty.
func (w *World) withRows() (filled []string, err error) {
	asked := make([]string, len(w.first.tables))
	for i, table := range w.first.tables {
		asked[i] = fmt.Sprintf("SELECT '%s' WHERE EXISTS (SELECT FROM %s)", table, table)
	}
	rows, err := w.DB.Query(w.t.Context(), strings.Join(asked, " UNION ALL "))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Again begins anew in a world that is at rest: with the database, the account at
// Stripe and the inbox as they were at first, at a later time, for another test. The
// services go on running, which is what it is for: starting them, and everything that
// PostgreSQL learns of a new database, takes longer than many a history. All times in
// the database are moved, as if the world had rested for so long when it begins: a
// shop that is new to its account reads months of it.
func (w *World) Again(t testing.TB, begin time.Time, rested time.Duration, post Post) {
	t.Helper()
	w.t, w.Stripe.t, w.post = t, t, post
	if w.Clock.Now().After(begin) {
		t.Fatalf("it is past %s", begin)
	}
	if err := w.wipe(t.Context(), begin.Add(-rested)); err != nil {
		t.Fatal(err)
	}
	w.Stripe.Control("/_sim/reset", struct{}{}, nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, w.MailURL()+"/api/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	w.mail.mu.Lock()
	w.mail.heard = nil
	w.mail.mu.Unlock()
	w.mail.last, w.mail.letters, w.mail.seen = "", nil, 0
	w.alarms, w.aside = nil, nil
	w.Clock.set(begin)
	w.Settle()
}

// wipe gives the tables what they held at first, as of a time. Rows are deleted, not tables
// truncated: there are few, and sequences go on, as the services know them.
func (w *World) wipe(ctx context.Context, as time.Time) error {
	if w.first.tables == nil {
		if err := w.remember(); err != nil {
			return err
		}
	}
	filled, err := w.withRows()
	if err != nil {
		return err
	}
	// The history that nobody may change, and the order of foreign keys, are for
	// those who live in this world.
	sql := "BEGIN; SET LOCAL session_replication_role = replica"
	for _, table := range filled {
		sql += "; DELETE FROM " + table
	}
	for _, table := range w.first.filled {
		sql += fmt.Sprintf("; INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT %s FROM %s, (SELECT interval '%d microseconds' AS by) AS moved",
			table, w.first.columns[table], copyOf(table), as.Sub(w.first.at).Microseconds())
	}
	_, err = w.DB.Exec(ctx, sql+"; COMMIT")
	return err
}
