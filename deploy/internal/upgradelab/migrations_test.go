package upgradelab

import (
	"os"
	"strings"
	"testing"

	"makegood.example/deploy/internal/stack"
)

func TestMigrationsSinceTheReleaseMayRunUnderIt(t *testing.T) {
	baseline, err := TheBaseline()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stack.Schemas {
		added, err := newerThan(stack.Schemas, s.Name, baseline.Versions[s.Name])
		if err != nil {
			t.Fatal(err)
		}
		fresh := map[string]bool{}
		for _, m := range added {
			for _, o := range objections(m, fresh) {
				t.Error(o)
			}
		}
	}
}

func TestWhatAMigrationMayNotDo(t *testing.T) {
	const outside = "-- +goose NO TRANSACTION\n"
	for text, want := range map[string]string{ // "" for nothing
		"ALTER TABLE orders.orders ADD COLUMN erased_at timestamptz;":                                                             "",
		"ALTER TABLE orders.orders ADD COLUMN note text NOT NULL DEFAULT '';":                                                     "",
		"ALTER TABLE orders.orders ADD COLUMN a text DEFAULT '', ADD COLUMN note text NOT NULL;":                                  "give it a DEFAULT",
		"ALTER TABLE orders.orders ADD COLUMN price numeric(10, 2) NOT NULL;":                                                     "give it a DEFAULT",
		"ALTER TABLE orders.orders ADD COLUMN key uuid NOT NULL DEFAULT gen_random_uuid();":                                       "written again",
		"ALTER TABLE orders.orders ADD COLUMN n bigserial;":                                                                       "written again",
		"ALTER TABLE orders.orders ADD COLUMN up text GENERATED ALWAYS AS (upper(email)) STORED;":                                 "written again",
		"ALTER TABLE orders.orders ALTER COLUMN amount_minor TYPE numeric;":                                                       "written again",
		"ALTER TABLE orders.orders ALTER COLUMN name SET NOT NULL;":                                                               "NOT VALID",
		"ALTER TABLE orders.orders ALTER COLUMN name DROP NOT NULL;":                                                              "",
		"ALTER TABLE orders.orders DROP COLUMN name;":                                                                             "previous release still uses",
		"ALTER TABLE orders.orders RENAME COLUMN name TO full_name;":                                                              "previous release still uses",
		"DROP TABLE orders.notices;":                                                                                              "previous release still uses",
		"CREATE INDEX orders_by_name ON orders.orders (name);":                                                                    "CONCURRENTLY",
		"CREATE UNIQUE INDEX one_switch ON orders.charging_switch (name);":                                                        "",
		"CREATE INDEX CONCURRENTLY orders_by_name ON orders.orders (name);":                                                       "not possible in a transaction",
		outside + "CREATE INDEX CONCURRENTLY orders_by_name ON orders.orders (name);":                                             "must go first",
		outside + "DROP INDEX CONCURRENTLY IF EXISTS orders.n;\nCREATE INDEX CONCURRENTLY n ON orders.orders (name);":             "",
		"ALTER TABLE orders.orders ADD CONSTRAINT named CHECK (name <> '');":                                                      "read under the lock",
		"ALTER TABLE orders.orders ADD CONSTRAINT named CHECK (name <> '') NOT VALID;":                                            "",
		"ALTER TABLE orders.orders VALIDATE CONSTRAINT named;":                                                                    "outside a transaction",
		outside + "ALTER TABLE orders.orders VALIDATE CONSTRAINT named;":                                                          "",
		"ALTER TABLE orders.orders ADD FOREIGN KEY (plan_id) REFERENCES orders.plans (id);":                                       "read under the lock",
		"ALTER TABLE orders.orders ADD CONSTRAINT one UNIQUE (name);":                                                             "USING INDEX",
		"ALTER TABLE orders.orders ADD CONSTRAINT one UNIQUE USING INDEX n;":                                                      "",
		"UPDATE orders.orders SET name = '';":                                                                                     "as long as the table is large",
		"UPDATE orders.charging_switch SET stopped = false;":                                                                      "",
		"LOCK TABLE orders.orders;":                                                                                               "everybody waits",
		"CREATE TABLE orders.notes (id uuid);\nCREATE INDEX n ON orders.notes (id);":                                              "",
		"-- DROP TABLE orders.orders;\nCREATE FUNCTION orders.f() RETURNS void LANGUAGE sql AS $$ DELETE FROM orders.orders; $$;": "",
	} {
		found := objections(migration{schema: "orders", name: "x.sql", text: text}, map[string]bool{})
		if said := strings.Join(found, "\n"); want == "" && said != "" || !strings.Contains(said, want) {
			t.Errorf("%s\n\tgot %q, want %q", text, said, want)
		}
	}
}

// The release's own migrations, which were applied, are as they were.
func TestWhatWasReleasedIsComparedWithTheTree(t *testing.T) {
	old, now := t.TempDir(), t.TempDir()
	b := Baseline{Commit: strings.Repeat("0", 40), Versions: map[string]int64{"orders": 1}}
	folder := "/services/orders/internal/store/migrations/"
	for _, root := range []string{old, now} {
		if err := os.MkdirAll(root+folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+folder+"00001_orders.sql", []byte("-- +goose Up\nSELECT 1;\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		if err := b.compare(old, now); err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	expect("")
	b.Versions["orders"] = 2
	expect("the last migration of orders at the baseline is 1, BASELINE says 2")
	b.Versions["orders"] = 1
	if err := os.WriteFile(now+folder+"00001_orders.sql", []byte("-- +goose Up\nSELECT 2;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("00001_orders.sql of orders was released, and is another now")
}
