package stripesim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/pretty"
)

// NullString is a string that Stripe renders as null when it is empty.
type NullString string

// MarshalJSON renders the empty string as null.
func (n NullString) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	if strings.ContainsFunc(string(n), func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return marshal(string(n))
	}
	return append(append(append(make([]byte, 0, len(n)+2), '"'), n...), '"'), nil // mostly an id, and there are dozens in an object
}

// UnmarshalJSON reads null as the empty string.
func (n *NullString) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*n = ""
	if s != nil {
		*n = NullString(*s)
	}
	return nil
}

// marshal is JSON as Stripe writes it: without HTML escapes.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// asStripeIndents is one line for each value, indented by two blanks: what json.Indent
// makes, in a third of the time, which was most of what a page of a list took.
var asStripeIndents = &pretty.Options{Indent: "  "}

// indented is a body as Stripe sends it, with a line's end behind it.
func indented(v any) ([]byte, error) {
	raw, err := marshal(v)
	if err != nil {
		return nil, err
	}
	return pretty.PrettyOptions(raw, asStripeIndents), nil
}

// expandable says which fields of a kind can be expanded, and to which kind.
var expandable = map[string]map[string]string{
	"payment_intent": {"customer": "customer", "latest_charge": "charge", "payment_method": "payment_method", "invoice": "invoice"},
	"charge": {"customer": "customer", "payment_intent": "payment_intent", "refunds": "refund", "balance_transaction": "balance_transaction",
		"dispute": "dispute", "invoice": "invoice"},
	"refund":                    {"charge": "charge", "payment_intent": "payment_intent", "balance_transaction": "balance_transaction", "failure_balance_transaction": "balance_transaction"},
	"payment_method":            {"customer": "customer"},
	"balance_transaction":       {"source": ""},
	"product":                   {"default_price": "price"},
	"price":                     {"product": "product"},
	"item":                      {"price": "price"},
	"subscription":              {"customer": "customer", "default_payment_method": "payment_method", "latest_invoice": "invoice", "items": "item", "schedule": "", "pending_setup_intent": ""},
	"invoice":                   {"customer": "customer", "subscription": "subscription", "payment_intent": "payment_intent", "charge": "charge", "default_payment_method": "payment_method", "lines": "item"},
	"checkout.session":          {"customer": "customer", "payment_intent": "payment_intent", "subscription": "subscription", "invoice": "invoice", "line_items": "item", "setup_intent": ""},
	"payout":                    {"balance_transaction": "balance_transaction"},
	"dispute":                   {"charge": "charge", "payment_intent": "payment_intent"},
	"radar.early_fraud_warning": {"charge": "charge", "payment_intent": "payment_intent"},
}

// checkExpand refuses unknown paths before anything is executed. kind is what
// the route answers with; "list:kind" for a page.
func checkExpand(kind string, paths []string) *Error {
	for _, path := range paths {
		rest := strings.Split(path, ".")
		at := kind
		if inner, ok := strings.CutPrefix(kind, "list:"); ok {
			if rest[0] != "data" {
				return errParam("", "expand", "This property cannot be expanded (%s). You may want to try expanding 'data.%s' instead.", path, path)
			}
			at, rest = inner, rest[1:]
		}
		if len(rest) > 4 {
			return errParam("", "expand", "You cannot expand more than 4 levels of a property.")
		}
		for _, field := range rest {
			if field == "data" && (at == "refund" || at == "item") {
				continue
			}
			next, ok := expandable[at][field]
			if !ok {
				return errParam("", "expand", "This property cannot be expanded (%s).", path)
			}
			at = next
		}
	}
	return nil
}

// expand replaces ids in a rendered answer by the objects they name.
func expand(w *world, v any, paths []string) (any, error) {
	if len(paths) == 0 {
		return v, nil
	}
	tree, err := toTree(v)
	if err != nil {
		return nil, err
	}
	slices.Sort(paths) // a parent comes before what is expanded inside it
	for _, path := range paths {
		if err := expandPath(w, tree, strings.Split(path, ".")); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

func expandPath(w *world, node any, path []string) error {
	if len(path) == 0 {
		return nil
	}
	if page, ok := node.([]any); ok {
		for _, element := range page {
			if err := expandPath(w, element, path); err != nil {
				return err
			}
		}
		return nil
	}
	tree, ok := node.(map[string]any)
	if !ok {
		return nil
	}
	field := path[0]
	if tree["object"] == "charge" && field == "refunds" && tree[field] == nil {
		page, err := toTree(w.refundsOf(tree["id"].(string)))
		if err != nil {
			return err
		}
		tree[field] = page
	}
	if tree["object"] == "checkout.session" && field == "line_items" && tree[field] == nil {
		page, err := toTree(w.lineItemsOf(tree["id"].(string)))
		if err != nil {
			return err
		}
		tree[field] = page
	}
	if id, isID := tree[field].(string); isID {
		for _, c := range w.all {
			o, found := c.find(id)
			if !found {
				continue
			}
			refresh(o, w.now())
			full, err := toTree(o)
			if err != nil {
				return err
			}
			tree[field] = full
			break
		}
	}
	return expandPath(w, tree[field], path[1:])
}

// refresher is an object of which a part follows the time of day.
type refresher interface{ refresh(now time.Time) }

func refresh(o object, now time.Time) {
	if r, ok := o.(refresher); ok {
		r.refresh(now)
	}
}

func toTree(v any) (any, error) {
	raw, err := marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	err = dec.Decode(&tree)
	return tree, err
}
