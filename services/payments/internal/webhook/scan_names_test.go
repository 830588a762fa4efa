package webhook

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// What scanNames takes is what encoding/json would have said.
func FuzzScanNames(f *testing.F) {
	const plain = `{"id":"ch_1","object":"charge","amount":2900,"payment_intent":"pi_1","charge":null,"invoice":"in_1","customer":"cus_1","subscription":"sub_1",
		"metadata":{"order_id":"1","reference":""},"client_reference_id":null,"customer_details":null,"items":[{"id":"no"}]}`
	for _, object := range []string{
		plain, " " + plain + "\n", plain + "x", plain[:len(plain)-1], "", "{}", "null", "[]", `"ch_1"`, "7",
		strings.Replace(plain, `"id":"ch_1"`, `"id":"ch_1","id":"ch_2"`, 1),
		strings.Replace(plain, `"id":"ch_1"`, `"id":"ch_1","Id":"ch_2"`, 1),
		strings.Replace(plain, `"id":"ch_1"`, `"id":7`, 1),
		strings.Replace(plain, `"id":"ch_1"`, `"id":""`, 1),
		strings.Replace(plain, `"pi_1"`, `{"id":"pi_1"}`, 1),
		strings.Replace(plain, `"pi_1"`, `null`, 1),
		strings.Replace(plain, `"pi_1"`, `""`, 1),
		strings.Replace(plain, `"pi_1"`, `false`, 1),
		strings.Replace(plain, `"cus_1"`, `"c\u0075s_1"`, 1),
		strings.Replace(plain, `"cus_1"`, "\"c\xe4s\"", 1),
		strings.Replace(plain, `{"order_id":"1","reference":""}`, `null`, 1),
		strings.Replace(plain, `{"order_id":"1","reference":""}`, `{}`, 1),
		strings.Replace(plain, `{"order_id":"1","reference":""}`, `[]`, 1),
		strings.Replace(plain, `{"order_id":"1"`, `{"order_id":1`, 1),
		strings.Replace(plain, `{"order_id":"1"`, `{"order_id":null`, 1),
		strings.Replace(plain, `{"order_id":"1"`, `{"a":"1","a":"2"`, 1),
		strings.Replace(plain, `"metadata":`, `"METADATA":{"a":"b"},"metadata":`, 1),
		strings.Replace(plain, `"client_reference_id":null`, `"client_reference_id":"x"`, 1),
		strings.Replace(plain, `"customer_details":null`, `"customer_details":{"email":"jane@example.com"}`, 1),
	} {
		f.Add([]byte(object))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		fast, ok := scanNames(object)
		if !ok {
			return
		}
		var slow names
		if err := json.Unmarshal(object, &slow); err != nil {
			t.Fatalf("%q was taken, but: %v", object, err)
		}
		if !reflect.DeepEqual(fast, slow) {
			t.Errorf("%q\nscan:   %+v\ndecode: %+v", object, fast, slow)
		}
	})
}

// A charge and an intent as Stripe sends them need no second look.
func TestScanNamesTakesWhatStripeSends(t *testing.T) {
	for _, object := range []string{
		`{"id":"pi_1","object":"payment_intent","customer":null,"invoice":null,"metadata":{}}`,
		"{\n  \"id\": \"ch_1\",\n  \"payment_intent\": \"pi_1\",\n  \"metadata\": {\n    \"cart\": \"7\"\n  },\n  \"refunds\": {\"data\": [{\"id\": \"re_1\"}]}\n}",
	} {
		if n, plain := scanNames([]byte(object)); !plain || n.ID == "" {
			t.Errorf("%s: %+v", object, n)
		}
	}
}
