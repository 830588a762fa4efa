package stripesim

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestBodiesAreIndentedAsJSONIs(t *testing.T) {
	for _, v := range []any{
		map[string]any{"data": []any{}, "none": map[string]any{}, "has_more": false, "url": nil},
		map[string]any{"data": []any{1, -2.5e3, "a", []any{[]any{"x"}, map[string]any{"y": []any{}}}}},
		[]any{`he said "[{,:}]" \ and left`, "ü 漢 & <b>", "\u2028\t\n", ""},
		&PaymentIntent{Metadata: map[string]string{"a[b]": "{", "c": strings.Repeat("long ", 50)}},
		"text", 7, nil, true,
	} {
		raw, err := marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := json.Indent(&want, raw, "", "  "); err != nil {
			t.Fatal(err)
		}
		if got, err := indented(v); err != nil || string(got) != want.String()+"\n" {
			t.Errorf("%v\n%s\nnot\n%s", err, got, want.String())
		}
	}
}
