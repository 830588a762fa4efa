package stripesim

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// params are the form-encoded parameters of a request, with Stripe's brackets
// unfolded. Each accessor notes that its parameter is known; finish reports the
// first bad value, or a parameter that nobody asked for.
type params struct {
	tree map[string]any // string or map[string]any
	used map[string]bool
	err  *Error
}

func parseParams(form url.Values) *params {
	p := &params{tree: map[string]any{}, used: map[string]bool{}}
	for name, values := range form {
		segments := splitBrackets(name)
		for i, v := range values {
			path := slices.Clone(segments)
			for j, s := range path {
				if s == "" {
					path[j] = strconv.Itoa(i)
				}
			}
			insert(p.tree, path, v)
		}
	}
	return p
}

// splitBrackets turns a[b][] into a, b and an empty segment.
func splitBrackets(name string) []string {
	head, rest, nested := strings.Cut(name, "[")
	if !nested {
		return []string{name}
	}
	return append([]string{head}, strings.Split(strings.TrimSuffix(rest, "]"), "][")...)
}

func insert(tree map[string]any, path []string, value string) {
	if len(path) == 1 {
		tree[path[0]] = value
		return
	}
	next, ok := tree[path[0]].(map[string]any)
	if !ok {
		next = map[string]any{}
		tree[path[0]] = next
	}
	insert(next, path[1:], value)
}

func (p *params) fail(code, name, format string, args ...any) {
	if p.err == nil {
		p.err = errParam(code, name, format, args...)
	}
}

// has reports whether the parameter was sent, even empty.
func (p *params) has(name string) bool {
	p.used[name] = true
	_, ok := p.tree[name]
	return ok
}

func (p *params) text(name string) string {
	if !p.has(name) {
		return ""
	}
	s, ok := p.tree[name].(string)
	if !ok {
		p.fail("parameter_invalid_string", name, "Invalid string for %s.", name)
	}
	return s
}

// setText changes target only when the parameter was sent.
func (p *params) setText(name string, target *NullString) {
	if p.has(name) {
		*target = NullString(p.text(name))
	}
}

// oneOf is a text that must be one of the given values or absent.
func (p *params) oneOf(name string, allowed ...string) string {
	s := p.text(name)
	if s != "" && !slices.Contains(allowed, s) {
		p.fail("", name, "Invalid %s: must be one of %s", name, strings.Join(allowed, ", "))
	}
	return s
}

func (p *params) integer(name string) int64 {
	s := p.text(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		p.fail("parameter_invalid_integer", name, "Invalid integer: %s", s)
	}
	return n
}

func (p *params) boolean(name string) bool {
	s := p.text(name)
	if s != "" && s != "true" && s != "false" {
		p.fail("parameter_invalid_boolean", name, "Invalid boolean: %s", s)
	}
	return s == "true"
}

// sub returns the nested parameters name[...]; its values are not checked for
// being known.
func (p *params) sub(name string) *params {
	p.used[name] = true
	tree, _ := p.tree[name].(map[string]any)
	return &params{tree: tree, used: map[string]bool{}}
}

// adopt ends the reading of nested parameters: what was wrong with them is wrong
// with the request.
func (p *params) adopt(name string, sub *params) {
	if err := sub.finish(); err != nil {
		head, rest, nested := strings.Cut(err.Param, "[")
		param := name + "[" + head + "]"
		if nested {
			param += "[" + rest
		}
		p.fail(err.Code, param, "%s", err.Message)
	}
}

// list returns the elements of name[0][...], name[1][...] in order.
func (p *params) list(name string) []*params {
	tree := p.sub(name).tree
	var out []*params
	for _, k := range indexOrder(tree) {
		if element, ok := tree[k].(map[string]any); ok {
			out = append(out, &params{tree: element, used: map[string]bool{}})
		}
	}
	return out
}

func indexOrder(tree map[string]any) []string {
	return slices.SortedFunc(maps.Keys(tree), func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return cmp.Compare(x, y)
	})
}

func (p *params) texts(name string) []string {
	tree := p.sub(name).tree
	var out []string
	for _, k := range indexOrder(tree) {
		if s, ok := tree[k].(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// metadata merges name[...] into target as Stripe does: an empty value removes
// its key, an empty name= removes all.
func (p *params) metadata(target map[string]string) {
	if !p.has("metadata") {
		return
	}
	if s, ok := p.tree["metadata"].(string); ok {
		if s != "" {
			p.fail("parameter_invalid_hash", "metadata", "Invalid hash.")
			return
		}
		clear(target)
		return
	}
	for k, v := range p.sub("metadata").tree {
		s, ok := v.(string)
		switch {
		case !ok || len(k) > 40 || len(s) > 500:
			p.fail("", "metadata["+k+"]", "Metadata keys have at most 40 characters, values are strings of at most 500.")
		case s == "":
			delete(target, k)
		default:
			target[k] = s
		}
	}
	if len(target) > 50 {
		p.fail("", "metadata", "Metadata has at most 50 keys.")
	}
}

// ignore names parameters of Stripe's that change nothing here.
func (p *params) ignore(names ...string) {
	for _, n := range names {
		p.used[n] = true
	}
}

// finish ends the reading of parameters; nothing may be changed before it.
func (p *params) finish() *Error {
	if p.err != nil {
		return p.err
	}
	for _, name := range slices.Sorted(maps.Keys(p.tree)) {
		if !p.used[name] {
			return errParam("parameter_unknown", name, "Received unknown parameter: %s", name)
		}
	}
	return nil
}

// required fails with Stripe's wording when a parameter is absent or empty.
func (p *params) required(names ...string) {
	for _, name := range names {
		if !p.has(name) {
			p.fail("parameter_missing", name, "Missing required param: %s.", name)
		} else if s, ok := p.tree[name].(string); ok && s == "" {
			p.fail("parameter_invalid_empty", name, "You passed an empty string for '%s'.", name)
		}
	}
}
