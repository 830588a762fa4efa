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

// Stripe counts what was reserved and not captured among what was refunded.
func TestWhatWasNeverCapturedDidNotGoBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		charge       string
		amount, back int64
	}{
		{`"amount":1000,"amount_captured":1000,"amount_refunded":0,"captured":true`, 1000, 0},
		{`"amount":1000,"amount_captured":1000,"amount_refunded":400,"captured":true`, 1000, 400},
		{`"amount":1000,"amount_captured":300,"amount_refunded":700,"captured":true`, 300, 0},
		{`"amount":1000,"amount_captured":300,"amount_refunded":1000,"captured":true`, 300, 300},
		{`"amount":1000,"amount_captured":300,"amount_refunded":0,"captured":true`, 300, 0},
		{`"amount":1000,"amount_captured":0,"amount_refunded":1000,"captured":false`, 1000, 1000},
		{`"amount":1000,"amount_refunded":400,"captured":true`, 1000, 400},
	} {
		page, _, err := decodePage[listedCharge]([]byte(`{"object":"list","has_more":false,"data":[{"id":"ch_1","created":1,` + c.charge + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if seen := page[0].seen(); seen.AmountMinor != c.amount || seen.RefundedMinor != c.back {
			t.Errorf("%s: %d taken, %d back", c.charge, seen.AmountMinor, seen.RefundedMinor)
		}
	}
}
