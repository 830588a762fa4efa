package stripegw

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v76"
)

const intentAsSent = `{"id":"pi_1","object":"payment_intent","amount":2900,"amount_capturable":0,"amount_details":{"tip":{}},"application":null,
	"automatic_payment_methods":{"allow_redirects":"never","enabled":true},"canceled_at":null,"created":1772366400,"currency":"usd","customer":"cus_1",
	"latest_charge":"ch_1","livemode":false,"metadata":{"cart":"7"},"payment_method":"pm_1","payment_method_options":{"card":{"installments":null,
	"mandate_options":null,"network":null,"request_three_d_secure":"automatic"}},"payment_method_types":["card","link"],"processing":null,
	"shipping":{"address":{"city":"Springfield","line1":"1 Example Street"},"name":"Jane Doe"},"status":"succeeded","new_in_2027":{"a":[1,{"b":null}]}}`

// Whatever is said to fit, the library reads.
func FuzzIntentShape(f *testing.F) {
	f.Add([]byte(intentAsSent))
	for old, other := range map[string]string{
		`2900`: `29.5`, `1772366400`: `"1772366400"`, `"usd"`: `7`, `"cus_1"`: `{"id":"cus_1"}`, `"ch_1"`: `[]`, `false`: `null`, `{"cart":"7"}`: `{"cart":7}`,
		`["card","link"]`: `["card",1]`, `"pm_1"`: `false`, `{"tip":{}}`: `{"tip":{"amount":1e3}}`, `"amount":`: `"Amount":"x","amount":`, `"succeeded"`: `{}`,
		`{"allow_redirects":"never","enabled":true}`: `{"enabled":"yes"}`, `"object":`: `"next_action":{"type":"use_stripe_sdk","use_stripe_sdk":{"a":1}},"object":`,
	} {
		f.Add([]byte(strings.Replace(intentAsSent, old, other, 1)))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		if !intentShape.Fits(object) {
			return
		}
		if err := json.Unmarshal(object, &stripe.PaymentIntent{}); err != nil {
			t.Errorf("%q fits, but: %v", object, err)
		}
	})
}

// What Stripe sends is known to fit; what the library cannot read is not.
func TestAnIntentAsSentFits(t *testing.T) {
	if !intentShape.Fits([]byte(intentAsSent)) {
		t.Error("an intent as Stripe sends it must be read in full to know that it can be")
	}
	for _, bad := range []string{`"pi_1"`, `null`, `[]`, ``, intentAsSent + "x", strings.Replace(intentAsSent, `2900`, `29.5`, 1), strings.Replace(intentAsSent, `"usd"`, `7`, 1)} {
		if intentShape.Fits([]byte(bad)) {
			t.Errorf("%q fits", bad)
		}
	}
	files, err := filepath.Glob("../../testdata/events/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var event struct {
			Data struct {
				Object json.RawMessage `json:"object"`
			} `json:"data"`
		}
		if json.Unmarshal(body, &event) == nil && intentShape.Fits(event.Data.Object) {
			if err := json.Unmarshal(event.Data.Object, &stripe.PaymentIntent{}); err != nil {
				t.Errorf("%s fits, but: %v", file, err)
			}
		}
	}
}
