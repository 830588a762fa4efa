package webhook

import (
	"reflect"
	"strings"
	"testing"
)

// What scan takes is what decode would have said, to the byte.
func FuzzScan(f *testing.F) {
	const plain = `{"id":"evt_1","object":"event","api_version":"2023-10-16","created":1772366400,"data":{"object":{"id":"pi_1","object":"payment_intent",
		"amount":-1.5e+3,"customer":"cus_1","metadata":{"a":[1,true,null,{"id":"no"}]},"receipt_email":"jane@example.com"},"previous_attributes":{}},"livemode":true,"type":"x.y"}`
	for _, body := range []string{
		plain, plain + " ", plain + "x", plain[:len(plain)-1], "\ufeff" + plain, "", "{}", "[]", `""`, "null",
		strings.Replace(plain, `"id":"evt_1"`, `"id":"evt_1","id":"evt_2"`, 1),
		strings.Replace(plain, `"id":"evt_1"`, `"id":"evt_1","ID":"evt_2"`, 1),
		strings.Replace(plain, `"id":"pi_1"`, `"id":"pi_1","\u0069d":"pi_2"`, 1),
		strings.Replace(plain, `"data":{`, `"data":{"object":{"id":"ch_1"},`, 1),
		strings.Replace(plain, `"data":{`, `"data":{"Object":{"id":"ch_1"},`, 1),
		strings.Replace(plain, `"type"`, `"data":null,"type"`, 1),
		strings.Replace(plain, `"cus_1"`, `{"id":"cus_1"}`, 1),
		strings.Replace(plain, `"cus_1"`, `null`, 1),
		strings.Replace(plain, `1772366400`, `1.0`, 1),
		strings.Replace(plain, `1772366400`, `-0`, 1),
		strings.Replace(plain, `1772366400`, `01`, 1),
		strings.Replace(plain, `1772366400`, `9223372036854775808`, 1),
		strings.Replace(plain, `true`, `"true"`, 1),
		strings.Replace(plain, `"jane@example.com"`, `"j\u00e4ne@example.com"`, 1),
		strings.Replace(plain, `"jane@example.com"`, "\"j\xe4ne\"", 1),
		strings.Replace(plain, `"jane@example.com"`, `"\ud800"`, 1),
		strings.Replace(plain, `"jane@example.com"`, `7`, 1),
		strings.Replace(plain, `[1,`, `[1,,`, 1),
		strings.Replace(plain, `[1,`, strings.Repeat("[", 200)+strings.Repeat("]", 200)+`,[1,`, 1),
		"{\"\u017fd\":1,\"\u212a\":2," + plain[1:],
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		fast, ok := scan(payload)
		if !ok {
			return
		}
		slow, err := decode(payload)
		if err != nil {
			t.Fatalf("%q was taken, but: %v", payload, err)
		}
		if len(fast.object) == 0 && len(slow.object) == 0 && len(fast.customer) == 0 && len(slow.customer) == 0 {
			fast.object, fast.customer, slow.object, slow.customer = nil, nil, nil, nil
		}
		if !reflect.DeepEqual(fast, slow) {
			t.Errorf("%q\nscan:   %+v\ndecode: %+v", payload, fast, slow)
		}
	})
}

// What Stripe sends needs no second look.
func TestScanTakesWhatStripeSends(t *testing.T) {
	for name, object := range map[string]string{
		"an object of one line":                `{"id":"pi_1","customer":"cus_1"}`,
		"laid out, with escapes and accents":   "{\n  \"id\": \"pi_1\",\n  \"description\": \"caf\\u00e9 \u00e9 \\\"x\\\"\",\n  \"customer\": \"cus_1\"\n}",
		"with expanded objects and long lists": `{"id":"pi_1","lines":{"data":[{"id":"il_1"},{"id":"il_2"}]},"customer":{"id":"cus_1","object":"customer"}}`,
		"with names in upper case":             `{"id":"pi_1","metadata":{"ID":"7","Straße":"x"},"customer":"cus_1","GiftCode":"x"}`,
		"with every kind of number":            `{"id":"pi_1","amounts":[0,-0,-1,10,1.5,-0.25,1e9,1E-9,1.5e+3],"customer":"cus_1"}`,
	} {
		payload := `{"id":"evt_1","type":"x.y","created":1772366400,"api_version":null,"data":{"object":` + object + `},"livemode":false}`
		f, plain := scan([]byte(payload))
		if e, err := f.event(); !plain || err != nil || e.ID != "evt_1" || e.ObjectID != "pi_1" || e.CustomerID != "cus_1" || string(e.Object) != object {
			t.Errorf("%s: plain %t, %+v, %v", name, plain, e, err)
		}
	}
}
