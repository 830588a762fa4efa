package stripegw

import (
	"errors"
	"strings"
	"testing"
)

func TestAPageIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	good := `{"object":"list","data":[{"id":"ch_2","created":2,"payment_intent":{"id":"pi_2"},"customer":null,"metadata":{"a":"b"}},{"id":"ch_1","created":1}],"has_more":true}`
	page, next, err := decodePage[listedCharge]([]byte(good))
	if err != nil || len(page) != 2 || next != "ch_1" || page[0].PaymentIntent != "pi_2" || page[0].Customer != "" || page[0].Metadata["a"] != "b" {
		t.Fatalf("%v %q %v", page, next, err)
	}
	for n := range len(good) { // cut anywhere
		if _, _, err := decodePage[listedCharge]([]byte(good[:n])); !errors.Is(err, errPage) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	for _, bad := range []string{
		`{}`, `[]`, `null`, `"list"`, good + `{}`,
		strings.Replace(good, "list", "charge", 1),
		strings.Replace(good, `,"has_more":true`, "", 1),
		strings.Replace(good, `"ch_1"`, `""`, 1),
		strings.Replace(good, `"ch_1"`, `"a\u0000b"`, 1),
		strings.Replace(good, `"ch_1"`, `"`+strings.Repeat("x", 256)+`"`, 1),
		strings.Replace(good, `"created":2`, `"created":"2"`, 1),
		strings.Replace(good, `{"id":"pi_2"}`, `7`, 1),
		`{"object":"list","data":[],"has_more":true}`,
		`{"object":"list","data":null,"has_more":true}`,
	} {
		if _, _, err := decodePage[listedCharge]([]byte(bad)); !errors.Is(err, errPage) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if page, next, err := decodePage[listedCharge]([]byte(`{"object":"list","data":[],"has_more":false}`)); err != nil || len(page) != 0 || next != "" {
		t.Errorf("an empty page: %v %q %v", page, next, err)
	}
}
