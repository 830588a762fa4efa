package upgradelab

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/pressly/goose/v3"

	"makegood.example/services/platform/migrate"
)

// migration is one file.
type migration struct {
	schema, name string
	version      int64
	text         string
}

// newerThan are a schema's migrations after a version, in their order.
func newerThan(schemas []migrate.Schema, schema string, version int64) ([]migration, error) {
	var found []migration
	for _, s := range schemas {
		if s.Name != schema {
			continue
		}
		names, err := fs.Glob(s.FS, "*.sql")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			v, err := goose.NumericComponent(name)
			if err != nil {
				return nil, err
			}
			if v <= version {
				continue
			}
			text, err := fs.ReadFile(s.FS, name)
			if err != nil {
				return nil, err
			}
			found = append(found, migration{schema, name, v, string(text)})
		}
	}
	return found, nil
}

// small are tables of the baseline that stay so small that reading or writing
// all of one under its lock takes no time, and why they do.
var small = map[string]string{
	"orders.charging_switch":          "one row",
	"notifications.digest":            "one row",
	"notifications.mail_server":       "one row",
	"notifications.watch":             "a row for each thing that is watched",
	"notifications.failing_channels":  "a row for each channel",
	"notifications.incident_sources":  "a row for each service that reports",
	"reconciliation.cursors":          "a row for each list at Stripe",
	"reconciliation.history_marks":    "a row for each table",
	"reconciliation.deep_pass_slices": "some rows for the pass under way",
}

// rule is what a statement about a table with rows must not do while it is used.
type rule struct {
	pattern *regexp.Regexp
	// unless makes it harmless.
	unless *regexp.Regexp
	why    string
	// always counts for small tables, too, and for files outside a transaction.
	always bool
}

func re(pattern string) *regexp.Regexp { return regexp.MustCompile(`(?i)` + pattern) }

// onTable finds which table a statement is about.
var onTable = re(`^(?:ALTER TABLE(?: IF EXISTS)?(?: ONLY)?|CREATE (?:UNIQUE )?INDEX .*? ON(?: ONLY)?|UPDATE(?: ONLY)?|DELETE FROM(?: ONLY)?|INSERT INTO|LOCK(?: TABLE)?|TRUNCATE(?: TABLE)?|DROP TABLE(?: IF EXISTS)?|CLUSTER|VACUUM(?: FULL)?|COMMENT ON COLUMN) ([a-z_0-9]+\.[a-z_0-9]+)`)

var created = re(`^CREATE TABLE(?: IF NOT EXISTS)? ([a-z_0-9]+\.[a-z_0-9]+)`)

const column = `\bADD COLUMN .*`

var rules = []rule{
	{re(`^DROP TABLE|\bDROP COLUMN|\bRENAME (TO|COLUMN|CONSTRAINT)|^DROP (VIEW|FUNCTION)`), nil, "the previous release still uses it: take it away one release later", true},
	{re(column + `NOT NULL`), re(column + `DEFAULT`), "the previous release does not write it, and rows have none: give it a DEFAULT", true},
	{re(`\bSET NOT NULL`), nil, "the previous release may leave it out, and every row is read under the lock: use a CHECK … NOT VALID, and VALIDATE it in a file outside a transaction", true},
	{re(column + `(DEFAULT (gen_random_uuid|random|clock_timestamp|nextval|uuid_generate)|GENERATED|\b(small|big)?serial\b)`), nil, "every row is written again under the lock", false},
	{re(`\bALTER COLUMN \S+ (SET DATA )?TYPE|SET (UN)?LOGGED|SET TABLESPACE|SET ACCESS METHOD|^CLUSTER|^VACUUM FULL`), nil, "every row may be written again under the lock", false},
	{re(`^CREATE (UNIQUE )?INDEX`), re(`^CREATE (UNIQUE )?INDEX CONCURRENTLY`), "nobody writes while it is built: use CONCURRENTLY in a file outside a transaction", false},
	{re(`\bADD (CONSTRAINT \S+ )?(UNIQUE|PRIMARY KEY|EXCLUDE)`), re(`USING INDEX`), "it builds an index under the lock: build it CONCURRENTLY first, then add it USING INDEX", false},
	{re(`\bADD (CONSTRAINT \S+ )?(CHECK|FOREIGN KEY)|` + column + `(REFERENCES|CHECK)`), re(`NOT VALID`), "every row is read under the lock: add it NOT VALID, and VALIDATE it in a file outside a transaction", false},
	{re(`^LOCK|^TRUNCATE`), nil, "everybody waits", false},
}

// Those that are right only outside a transaction.
var (
	noTransaction = regexp.MustCompile(`(?m)^-- \+goose NO TRANSACTION\s*$`)
	concurrently  = re(`^(CREATE (UNIQUE )?|DROP |RE)INDEX .*?CONCURRENTLY(?: IF EXISTS)?(?: IF NOT EXISTS)? ([a-z_0-9.]+)`)
	keepsLock     = re(`\bVALIDATE CONSTRAINT|^UPDATE|^DELETE`)
)

// objections are the reasons why a migration may not run while the release
// before it works on tables with rows. fresh are the tables that newer
// migrations made, which have none; it is added to.
func objections(m migration, fresh map[string]bool) []string {
	var found []string
	object := func(statement, why string) {
		found = append(found, fmt.Sprintf("%s/%s: %s\n\t%s", m.schema, m.name, why, statement))
	}
	outside := noTransaction.MatchString(m.text)
	dropped := map[string]bool{}
	for _, s := range statements(m.text) {
		if made := created.FindStringSubmatch(s); made != nil {
			fresh[made[1]] = true
			continue
		}
		if c := concurrently.FindStringSubmatch(s); c != nil {
			index := c[3][strings.LastIndex(c[3], ".")+1:]
			switch {
			case !outside:
				object(s, "CONCURRENTLY is not possible in a transaction: the file begins with -- +goose NO TRANSACTION")
			case strings.HasPrefix(strings.ToUpper(s), "DROP"):
				dropped[index] = true
			case strings.HasPrefix(strings.ToUpper(s), "CREATE") && !dropped[index]:
				object(s, "what an earlier try left half built must go first: DROP INDEX CONCURRENTLY IF EXISTS")
			}
			continue
		}
		about := onTable.FindStringSubmatch(s)
		if about != nil && fresh[about[1]] {
			continue
		}
		tiny := about != nil && small[about[1]] != ""
		for _, action := range actions(s) {
			for _, r := range rules {
				if r.pattern.MatchString(action) && (r.unless == nil || !r.unless.MatchString(action)) && (r.always || !tiny) {
					object(action, r.why)
				}
			}
		}
		if keepsLock.MatchString(s) && !outside && !tiny {
			object(s, "it takes as long as the table is large, and the file's other locks are kept as long: a file outside a transaction, in statements that may run again")
		}
	}
	return found
}

var (
	comment = regexp.MustCompile(`(?m)--.*$`)
	quoted  = regexp.MustCompile(`(?s)\$(\w*)\$.*?\$(\w*)\$`)
	blank   = regexp.MustCompile(`\s+`)
)

// statements are those of a file's way up, each in one line. What a function
// does happens when it is called.
func statements(text string) []string {
	up, _, _ := strings.Cut(text, "-- +goose Down")
	up = quoted.ReplaceAllString(comment.ReplaceAllString(up, ""), "'…'")
	var all []string
	for s := range strings.SplitSeq(up, ";") {
		if s = strings.TrimSpace(blank.ReplaceAllString(s, " ")); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// actions takes an ALTER TABLE apart, at the commas that are in no parentheses.
func actions(statement string) []string {
	head := alter.FindString(statement)
	if head == "" {
		return []string{statement}
	}
	var all []string
	depth, begin := 0, len(head)
	for i := begin; i <= len(statement); i++ {
		switch {
		case i == len(statement) || statement[i] == ',' && depth == 0:
			all = append(all, head+strings.TrimSpace(statement[begin:i]))
			begin = i + 1
		case statement[i] == '(':
			depth++
		case statement[i] == ')':
			depth--
		}
	}
	return all
}

var alter = re(`^ALTER TABLE(?: IF EXISTS)?(?: ONLY)? \S+ `)
