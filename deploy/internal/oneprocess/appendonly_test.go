package oneprocess_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"makegood.example/deploy/internal/stack"
	"makegood.example/services/platform/pgtest"
)

// kept are the tables whose rows stay as they were written, whoever asks.
var kept = []string{
	"notifications.incident_events",
	"orders.history", "orders.charging_switch", "orders.notices",
	"payments.customer_links", "payments.event_actions",
	"provisioning.grant_events",
	"reconciliation.case_events", "reconciliation.audit",
	"notifications.incident_events", "provisioning.hook_replays",
}

// What was recorded of what people and machines did cannot be changed, deleted or
// emptied by any service, whether the row is its own or another's; nor can a service
// take the guard away.
func TestNoServiceChangesWhatWasRecorded(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var tables []string
	for _, s := range stack.Schemas {
		for _, name := range s.AppendOnly {
			tables = append(tables, s.Name+"."+name)
		}
	}
	for _, table := range kept {
		if !slices.Contains(tables, table) {
			t.Errorf("%s is append-only no more", table)
		}
	}
	for _, s := range stack.Schemas {
		conn, err := pgx.Connect(t.Context(), db.URL(s.Name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(t.Context()) })
		var super, owns bool
		if err := conn.QueryRow(t.Context(), `SELECT rolsuper OR rolcreaterole OR rolbypassrls,
			EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid) FROM pg_roles WHERE rolname = current_user`).Scan(&super, &owns); err != nil || super || owns {
			t.Errorf("%s: more than a user %t, owns tables %t, %v", s.Name, super, owns, err)
		}
		for _, table := range tables {
			column := columnOf(t, db, table)
			// Refused with a warning only: what counts is whether it changes what follows.
			_, _ = conn.Exec(t.Context(), "GRANT ALL ON "+table+" TO CURRENT_USER")
			for _, statement := range []string{
				fmt.Sprintf("UPDATE %s SET %s = %s", table, column, column),
				"DELETE FROM " + table, "TRUNCATE " + table, "DROP TABLE " + table,
				"ALTER TABLE " + table + " OWNER TO CURRENT_USER",
				fmt.Sprintf("SELECT %s FROM %s FOR UPDATE", column, table),
			} {
				_, err := conn.Exec(t.Context(), statement)
				var refused *pgconn.PgError
				if !errors.As(err, &refused) || refused.Code != "42501" {
					t.Errorf("%s may %s: %v", s.Name, statement, err)
				}
			}
			if strings.HasPrefix(table, s.Name+".") {
				continue
			}
			var refused *pgconn.PgError
			if _, err := conn.Exec(t.Context(), "SELECT FROM "+table); !errors.As(err, &refused) || refused.Code != "42501" {
				t.Errorf("%s may read %s: %v", s.Name, table, err)
			}
		}
	}
}

func columnOf(t *testing.T, db *pgtest.DB, table string) (column string) {
	t.Helper()
	if err := db.Owner(t).QueryRow(t.Context(), "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attidentity <> '', attnum LIMIT 1", table).Scan(&column); err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	return column
}
