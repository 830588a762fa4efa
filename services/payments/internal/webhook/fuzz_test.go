package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"makegood.example/services/payments/internal/webhook"
)

// Whatever the header, only the signature of these bytes, at about this time,
// is believed.
func FuzzVerify(f *testing.F) {
	at := now.Unix()
	for _, header := range []string{
		"", "t=", "v1=", ",,,", "t=1,v1=00", "t==,v1==",
		fmt.Sprintf("t=%d,v1=%s", at, v1("whsec_a", at, body)),
		fmt.Sprintf("t=%d,v1=%s,v1=%s,v0=00", at, v1("whsec_old", at, body), v1("whsec_a", at, body)),
		fmt.Sprintf("v1=%s,t=%d", v1("whsec_a", at, body), at),
	} {
		f.Add([]byte(body), header)
		f.Add([]byte{}, header)
	}
	f.Fuzz(func(t *testing.T, payload []byte, header string) {
		if !webhook.Verify(payload, header, []string{"whsec_a"}, now) {
			return
		}
		signed := false
		for stamp := now.Add(-webhook.Tolerance).Unix(); stamp <= now.Add(webhook.Tolerance).Unix() && !signed; stamp++ {
			signed = strings.Contains(header, fmt.Sprint(stamp)) && strings.Contains(strings.ToLower(header), v1("whsec_a", stamp, string(payload)))
		}
		if !signed {
			t.Errorf("believed %q for %q", header, payload)
		}
		if webhook.Verify(payload, header, []string{"whsec_b"}, now) || webhook.Verify(append(bytes.Clone(payload), 'x'), header, []string{"whsec_a"}, now) ||
			webhook.Verify(payload, header, []string{"whsec_a"}, now.Add(3*webhook.Tolerance)) {
			t.Errorf("%q is believed for another secret, body or time", header)
		}
	})
}

// Whatever is filed can be stored: it has an id and a type, no zero byte, a
// sane length and an object that is JSON.
func FuzzParse(f *testing.F) {
	for _, payload := range []string{
		"", "null", "{}", "\ufeff{}", body, body[:40],
		`{"id":"evt_1","type":"x","created":-1,"data":{"object":null}}`,
		`{"id":"evt_1","type":"x","created":9223372036854775807,"data":{"object":[]}}`,
		`{"id":"evt_1","type":"x","data":{"object":{"customer":{"id":{"id":1}},"email":"\u0000"}}}`,
		`{"id":"evt_1","type":"charge.refunded","data":{"object":{"id":"ch_\u0000","payment_intent":{"id":"pi_1"},"metadata":{"order_id":"1"}}}}`,
		`{"id":"evt_1","type":"invoice.paid","data":{"object":{"id":"in_1","parent":{"subscription_details":{"subscription":"sub_1","metadata":{}}}}}}`,
		`{"ID":"evt_1","Type":"x","DATA":{"Object":"\ud800"}}`,
	} {
		f.Add([]byte(payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := webhook.Parse(payload)
		if err != nil {
			return
		}
		if e.ID == "" || e.Type == "" || !json.Valid(e.Object) || e.CreatedAt.Location() != time.UTC {
			t.Errorf("filed as %+v", e)
		}
		for _, text := range []string{e.ID, e.Type, e.APIVersion, e.ObjectID, e.CustomerID, e.Email} {
			if strings.ContainsRune(text, 0) || len(text) > 1000 {
				t.Errorf("%q cannot be filed", text)
			}
		}
		sub, err := e.Subject()
		if err != nil {
			return
		}
		for _, name := range []string{sub.IntentID, sub.ChargeID, sub.SessionID, sub.SubscriptionID, sub.InvoiceID, sub.CustomerID, sub.Email} {
			if strings.ContainsRune(name, 0) || len(name) > 1000 {
				t.Errorf("%q cannot be looked for", name)
			}
		}
	})
}
