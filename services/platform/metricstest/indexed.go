package metricstest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/metrics"
)

// history is how many rows a table is given before its plans are judged.
const history = 20_000

// WantIndexed gives a table a long history, by copies of one row that is at rest
// with what sets each apart (SQL of a jsonb object, of n), and fails for each
// reading that would read all of it. It needs the owner of the schema.
func WantIndexed(t testing.TB, owner *pgxpool.Pool, table, apart string, readings []metrics.Reading) {
	t.Helper()
	tag, err := owner.Exec(t.Context(), fmt.Sprintf(`INSERT INTO %[1]s SELECT copy.* FROM (SELECT * FROM %[1]s LIMIT 1) AS one,
		generate_series(1, %[3]d) AS n, LATERAL jsonb_populate_record(NULL::%[1]s, to_jsonb(one) || %[2]s) AS copy`, table, apart, history))
	if err != nil || tag.RowsAffected() != history {
		t.Fatalf("%d copies of a row of %s: %v", tag.RowsAffected(), table, err)
	}
	if _, err := owner.Exec(t.Context(), "VACUUM ANALYZE "+table); err != nil {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(table, ".")
	for _, reading := range readings {
		var args []any
		if strings.Contains(reading.SQL, "$1") {
			args = append(args, time.Now())
		}
		rows, err := owner.Query(t.Context(), "EXPLAIN "+reading.SQL, args...)
		if err != nil {
			t.Fatal(err)
		}
		var plan strings.Builder
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			plan.WriteString(line + "\n")
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(plan.String(), "Seq Scan on "+name) {
			t.Errorf("%s reads the whole of %s:\n%s", reading.Gauges[0].Name, table, plan.String())
		}
	}
}
