package module_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	contracts "makegood.example/proto"
	"makegood.example/services/platform/browsertest"
)

// types is what makegood.d.ts declares.
type types struct {
	// exports are what a page can import: a function's or a class's parameters, none
	// for a constant.
	exports map[string][]string
	// shapes are the members of each interface and class.
	shapes map[string]map[string]member
	// unions are the strings of each type that is one.
	unions map[string]string
}

// member is one of an interface or a class. A method has its parameters instead of a
// type.
type member struct {
	typ    string
	method bool
	params []string
}

var (
	comments    = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	declaration = regexp.MustCompile(`^export (?:declare )?(function|const|class|interface|type|as namespace) (\w+)`)
	memberOf    = regexp.MustCompile(`(?s)^(?:readonly )?(\w+)(\??)\s*(?:\((.*)\))?\s*(?::\s*(.+))?$`)
)

// readTypes reads the declarations; what it does not understand fails the test.
func readTypes(t *testing.T) types {
	t.Helper()
	source, err := os.ReadFile("makegood.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	d := types{map[string][]string{}, map[string]map[string]member{}, map[string]string{}}
	for rest := strings.TrimSpace(comments.ReplaceAllString(string(source), "")); rest != ""; {
		found := declaration.FindStringSubmatch(rest)
		if found == nil {
			t.Fatalf("makegood.d.ts: not understood: %.60q", rest)
		}
		kind, name := found[1], found[2]
		var head, body string
		if kind == "class" || kind == "interface" {
			var ok bool
			head, rest, _ = strings.Cut(rest, "{")
			if body, rest, ok = block(rest); !ok {
				t.Fatalf("makegood.d.ts: %s has no end", head)
			}
			d.shapes[name] = membersOf(t, body)
		} else {
			head, rest = splitOff(rest, ';')
		}
		rest = strings.TrimSpace(rest)
		switch kind {
		case "function":
			d.exports[name] = membersOf(t, strings.TrimPrefix(head, "export function "))[name].params
		case "class":
			d.exports[name] = d.shapes[name]["constructor"].params
			delete(d.shapes[name], "constructor")
		case "const":
			d.exports[name] = nil
		case "type":
			_, union, _ := strings.Cut(head, "=")
			d.unions[name] = canonical(t, union)
		}
	}
	return d
}

// block is what comes before the brace that closes one that was opened.
func block(text string) (inside, rest string, ok bool) {
	depth := 1
	for i, c := range text {
		switch c {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return text[:i], text[i+1:], true
			}
		}
	}
	return text, "", false
}

// splitOff cuts text at the first separator that is in no bracket.
func splitOff(text string, separator rune) (first, rest string) {
	depth := 0
	for i, c := range text {
		switch {
		case c == separator && depth == 0:
			return strings.TrimSpace(text[:i]), text[i+1:]
		case strings.ContainsRune("{(<[", c):
			depth++
		case strings.ContainsRune("})>]", c):
			depth--
		}
	}
	return strings.TrimSpace(text), ""
}

func split(text string, separator rune) (parts []string) {
	for text != "" {
		var first string
		if first, text = splitOff(text, separator); first != "" {
			parts = append(parts, first)
		}
	}
	return parts
}

func membersOf(t *testing.T, body string) map[string]member {
	t.Helper()
	members := map[string]member{}
	for _, text := range split(body, ';') {
		found := memberOf.FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("makegood.d.ts: not understood: %q", text)
		}
		m := member{method: strings.Contains(text, found[1]+"(")}
		if m.method {
			for _, p := range split(found[3], ',') {
				m.params = append(m.params, strings.Trim(p[:strings.IndexAny(p+":", ":?")], ". "))
			}
		} else {
			m.typ = canonical(t, found[4])
		}
		members[found[1]] = m
	}
	return members
}

// canonical writes a type so that two that are the same are written the same.
func canonical(t *testing.T, typ string) string {
	t.Helper()
	parts := split(typ, '|')
	for i, part := range parts {
		inside, isObject := strings.CutPrefix(part, "{")
		if !isObject {
			continue
		}
		var fields []string
		for name, m := range membersOf(t, strings.TrimSuffix(inside, "}")) {
			fields = append(fields, name+": "+m.typ)
		}
		slices.Sort(fields)
		parts[i] = "{ " + strings.Join(fields, "; ") + " }"
	}
	slices.Sort(parts)
	return strings.Join(parts, " | ")
}

// schema is as much of an OpenAPI schema as an order takes.
type schema struct {
	Type, Format string
	Ref          string `json:"$ref"`
	AllOf        []schema
	Enum         []string
	Properties   map[string]schema
}

// schemas are those of the edge's OpenAPI document, by their names.
func schemas(t *testing.T) map[string]schema {
	t.Helper()
	var document struct {
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(contracts.PublicOpenAPI, &document); err != nil {
		t.Fatal(err)
	}
	return document.Components.Schemas
}

// answered is the TypeScript of what a schema's JSON holds. The edge writes every
// field: what is unset is null when it is a time or an object.
func answered(t *testing.T, all map[string]schema, s schema) string {
	t.Helper()
	if len(s.AllOf) == 1 {
		s = s.AllOf[0]
	}
	if s.Ref != "" {
		s = all[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	switch {
	case len(s.Enum) > 0:
		var quoted []string
		for _, value := range s.Enum {
			if !strings.HasSuffix(value, "_UNSPECIFIED") { // what is never answered, and left out when asked
				quoted = append(quoted, fmt.Sprintf("%q", value))
			}
		}
		return canonical(t, strings.Join(quoted, "|"))
	case s.Format == "date-time":
		return canonical(t, "string|null")
	case s.Type == "string": // int64 too
		return "string"
	case s.Type == "integer":
		return "number"
	case s.Type == "boolean":
		return "boolean"
	case s.Type == "object" && len(s.Properties) > 0:
		var fields []string
		for name, p := range s.Properties {
			fields = append(fields, name+": "+answered(t, all, p))
		}
		return canonical(t, "{"+strings.Join(fields, ";")+"} | null")
	}
	t.Fatalf("no type is known for %+v", s)
	return ""
}

// TestTypesAreWhatTheEdgeAnswers holds the types against the schema of what the edge
// answers and takes: whoever adds a field to an order adds it to the types.
func TestTypesAreWhatTheEdgeAnswers(t *testing.T) {
	d, all := readTypes(t), schemas(t)
	want := map[string]string{}
	for name, p := range all["orders.v1.Order"].Properties {
		want[name] = answered(t, all, p)
	}
	// Every order says what is next, and the module relies on it.
	want["next_action"] = strings.TrimSuffix(strings.TrimPrefix(want["next_action"], "null | "), " | null")
	got := map[string]string{}
	for name, m := range d.shapes["Order"] {
		got[name] = m.typ
	}
	for name := range maps.Keys(want) {
		if got[name] != want[name] {
			t.Errorf("Order.%s: the edge answers\n  %s\nthe types say\n  %s", name, want[name], got[name])
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("Order.%s: the edge has no such field", name)
	}
	if got, want := d.shapes["CheckoutOptions"]["checkout"].typ, answered(t, all, schema{Ref: "orders.v1.PlaceOrderRequest.Checkout"}); got != want {
		t.Errorf("CheckoutOptions.checkout is %s, and the edge takes %s", got, want)
	}
	for name, field := range map[string]string{"plan": "plan_id", "currency": "currency"} {
		if _, ok := all["orders.v1.PlaceOrderRequest"].Properties[field]; !ok || d.shapes["CheckoutOptions"][name].typ != "string" {
			t.Errorf("CheckoutOptions.%s is %s, of %s", name, d.shapes["CheckoutOptions"][name].typ, field)
		}
	}
}

// TestEveryPhaseIsDeclared: what a page switches over is all that there can be.
func TestEveryPhaseIsDeclared(t *testing.T) {
	files, err := filepath.Glob("src/*.js")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?:#show\(|phase: )("\w+")`).FindAllStringSubmatch(string(source), -1) {
			shown[found[1]] = true
		}
	}
	if got, want := strings.Join(slices.Sorted(maps.Keys(shown)), " | "), readTypes(t).unions["Phase"]; got != want || got == "" {
		t.Errorf("the module shows\n  %s\nand the types have\n  %s", got, want)
	}
}

// testTypes holds the types against what is really there, in both builds: what is
// exported, what it takes, which options it reads, and what it tells a page.
func testTypes(t *testing.T, b *browsertest.Browser) {
	d, e := readTypes(t), startEdge(t)
	var placed atomic.Int64
	e.says(func(w http.ResponseWriter, call string, r *http.Request) {
		if call == "POST" {
			placed.Add(1)
		}
		switch {
		case call != "POST":
			order(w, r, http.StatusOK, "PENDING", "USE_STRIPE_SDK", "")
		case placed.Load()%3 == 1: // another address for the same order
			refuse(w, http.StatusConflict, "IDEMPOTENCY_KEY_REUSED", "")
		case placed.Load()%3 == 2:
			refuse(w, http.StatusConflict, "DUPLICATE_PURCHASE", "")
		default:
			complete(w, call, r)
		}
	})
	e.page = fmt.Sprintf(checkoutPage, withModule+`<script src="/makegood.classic.js"></script><script type="module">import * as all from "/makegood.js"; window.all = all;</script>`)
	p := e.shop(b)
	p.Await("window.all")
	for build, global := range map[string]string{"makegood.js": "all", "makegood.classic.js": "Makegood"} {
		var is struct {
			Exports                               map[string]string // the parameters as they are written
			Methods                               map[string]string
			Properties                            []string
			Options, Details, State, Words, Other []string
		}
		p.Eval(fmt.Sprintf(observe, global), &is)
		for name, params := range d.exports {
			if got, ok := is.Exports[name]; !ok || got != strings.Join(params, ", ") {
				t.Errorf("%s: %s(%s) is declared, and it is %s(%s), %t", build, name, strings.Join(params, ", "), name, got, ok)
			}
		}
		same := func(what string, declared map[string]member, got []string) {
			t.Helper()
			slices.Sort(got)
			if want := slices.Sorted(maps.Keys(declared)); !slices.Equal(got, want) {
				t.Errorf("%s: %s: declared are\n  %q\nand there are\n  %q", build, what, want, got)
			}
		}
		exported := map[string]member{}
		for name := range d.exports {
			exported[name] = member{}
		}
		same("exports", exported, slices.Collect(maps.Keys(is.Exports)))
		same("a checkout", d.shapes["Checkout"], append(slices.Collect(maps.Keys(is.Methods)), is.Properties...))
		for name, params := range is.Methods {
			if m := d.shapes["Checkout"][name]; !m.method || strings.Join(m.params, ", ") != params {
				t.Errorf("%s: the method %s(%s) is declared as %+v", build, name, params, m)
			}
		}
		same("the options it reads", d.shapes["CheckoutOptions"], is.Options)
		same("the details it reads", d.shapes["Details"], is.Details)
		same("the state it tells", d.shapes["State"], is.State)
		object := func(typ string) map[string]member {
			return membersOf(t, strings.Trim(typ, "{} "))
		}
		same("its words", object(d.shapes["State"]["words"].typ), is.Words)
		same("its contact", object(d.shapes["Checkout"]["contact"].typ), is.Other)
	}
}

// observe lets one checkout of a build go through what shows every part of its state,
// and notes what it reads of what it is given.
const observe = `(async (build) => {
	const written = (f) => f.toString().match(/\(([^)]*)\)/)[1], sorted = (set) => [...set];
	const reading = (read, given) => new Proxy(given, { get: (o, name) => (typeof name === "string" && read.add(name), o[name]), ownKeys: () => [] });
	const exports = {}, methods = {}, properties = [], options = new Set(), details = new Set(), state = new Set(), words = new Set();
	for (const [name, it] of Object.entries(build)) exports[name] = typeof it !== "function" ? "" : it.toString().startsWith("class") ? it.toString().match(/constructor\(([^)]*)\)/)[1] : written(it);
	localStorage.clear();
	const given = { plan: "typed", edge: location.origin, stripe, card: {}, form: document.createElement("form"), status: document.createElement("div") };
	const checkout = build.createCheckout(reading(options, given));
	checkout.options = reading(options, given);
	checkout.addEventListener("change", () => { Object.keys(checkout.state).forEach((k) => state.add(k)); Object.keys(checkout.state.words).forEach((k) => words.add(k)); });
	for (const [name, is] of Object.entries(Object.getOwnPropertyDescriptors(build.Checkout.prototype))) {
		if (name === "constructor") continue;
		if (is.get) properties.push(name); else methods[name] = written(is.value);
	}
	properties.push(...Object.keys(checkout));
	await checkout.ready;
	const other = Object.keys(checkout.contact), jane = { email: "jane@example.com", name: "Jane Doe" };
	await checkout.submit(reading(details, jane));
	if (!checkout.state.mayStartNew) throw new Error("no other details: " + JSON.stringify(checkout.state));
	checkout.startNew();
	await checkout.submit(reading(details, jane));
	if (!checkout.state.mayRepeat) throw new Error("no duplicate: " + JSON.stringify(checkout.state));
	await checkout.submit(reading(details, { ...jane, allowRepeat: true }));
	if (checkout.state.phase !== "done") throw new Error("not done: " + JSON.stringify(checkout.state));
	checkout.close();
	return { exports, methods, properties, options: sorted(options), details: sorted(details), state: sorted(state), words: sorted(words), other };
})(%s)`
