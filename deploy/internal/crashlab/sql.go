package crashlab

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// statement is what a text of SQL does.
type statement struct {
	// name is the one that the query was given in its source, or its first words.
	name string
	// writes are tables with what is done to them: "INSERT orders.orders".
	writes   []string
	begins   bool
	commits  bool
	rollback bool
}

var (
	queryName = regexp.MustCompile(`^\s*-- name: (\w+)`)
	comments  = regexp.MustCompile(`(?m)--[^\n]*$|/\*[^*]*\*/`)
	literals  = regexp.MustCompile(`'(?:[^']|'')*'`)
	noWrites  = regexp.MustCompile(`(?i)\b(FOR\s+(NO\s+KEY\s+)?UPDATE|DO\s+UPDATE)\b`)
	writes    = regexp.MustCompile(`(?i)\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO|COPY)\s+(?:ONLY\s+)?((?:"?\w+"?\.)?"?\w+"?)`)
	control   = regexp.MustCompile(`(?i)^\s*(BEGIN|START\s+TRANSACTION|COMMIT|END|ROLLBACK|ABORT)\b(?:\s+(TO)\b)?`)
)

var analysed sync.Map // by text

// analyse reads a statement. Which tables it writes is in the text itself, so
// nobody has to list them.
func analyse(sql string) *statement {
	if known, ok := analysed.Load(sql); ok {
		return known.(*statement)
	}
	s := &statement{}
	if m := queryName.FindStringSubmatch(sql); m != nil {
		s.name = m[1]
	}
	text := literals.ReplaceAllString(comments.ReplaceAllString(sql, ""), "''")
	if m := control.FindStringSubmatch(text); m != nil && m[2] == "" {
		switch strings.ToUpper(strings.Fields(m[1])[0]) {
		case "BEGIN", "START":
			s.begins = true
		case "COMMIT", "END":
			s.commits = true
		default:
			s.rollback = true
		}
	}
	for _, m := range writes.FindAllStringSubmatch(noWrites.ReplaceAllString(text, ""), -1) {
		op := strings.ToUpper(strings.Fields(m[1])[0]) + " " + strings.ToLower(strings.ReplaceAll(m[2], `"`, ""))
		if !slices.Contains(s.writes, op) {
			s.writes = append(s.writes, op)
		}
	}
	if s.name == "" {
		words := strings.Fields(text)
		s.name = strings.Join(words[:min(3, len(words))], " ")
	}
	analysed.Store(sql, s)
	return s
}

var (
	// state is how our tables spell states and kinds, and Stripe its types of events.
	state     = regexp.MustCompile(`^(?:[A-Z][A-Z_]{3,39}|[a-z]+(?:_[a-z]+)*(?:\.[a-z_]+)+)$`)
	stripeIDs = regexp.MustCompile(`^(?:pi|ch|cus|cs|sub|in|re|evt|pm)_[A-Za-z0-9_]{6,}$`)
	uuidText  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// states are the words among a statement's values that say which step it is: one
// UPDATE serves all changes of an order.
func states(values [][]byte) (found []string) {
	for _, v := range values {
		if word := string(v); len(v) <= 60 && state.MatchString(word) && !slices.Contains(found, word) {
			found = append(found, word)
		}
	}
	return found
}
