package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"makegood.example/services/payments/internal/webhook"
)

const body = `{"id":"evt_1","type":"payment_intent.succeeded","created":1772366400,"data":{"object":{"id":"pi_1"}}}`

var now = time.Unix(1_772_366_400, 0)

func v1(secret string, at any, payload string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%v.%s", at, payload)
	return hex.EncodeToString(mac.Sum(nil))
}

func TestVerify(t *testing.T) {
	at := now.Unix()
	good := v1("whsec_a", at, body)
	stamped := func(at int64) string { return fmt.Sprintf("t=%d,v1=%s", at, v1("whsec_a", at, body)) }
	for _, c := range []struct {
		name    string
		header  string
		payload string
		secrets []string
		want    bool
	}{
		{"signed", stamped(at), body, []string{"whsec_a"}, true},
		{"signed by the second secret", fmt.Sprintf("t=%d,v1=%s", at, v1("whsec_b", at, body)), body, []string{"whsec_a", "whsec_b"}, true},
		{"several signatures, one ours, as in a rotation", fmt.Sprintf("t=%d,v1=%s,v1=%s", at, v1("whsec_old", at, body), good), body, []string{"whsec_a"}, true},
		{"with an old scheme beside it", fmt.Sprintf("t=%d,v1=%s,v0=%s", at, good, v1("whsec_x", at, body)), body, []string{"whsec_a"}, true},
		{"with spaces", fmt.Sprintf("t=%d, v1=%s", at, good), body, []string{"whsec_a"}, true},
		{"upper-case hex", fmt.Sprintf("t=%d,v1=%s", at, strings.ToUpper(good)), body, []string{"whsec_a"}, true},
		{"garbage beside a good one", fmt.Sprintf("t=%d,v1=zz,v1=%s,x", at, good), body, []string{"whsec_a"}, true},
		{"as old as allowed", stamped(at - 300), body, []string{"whsec_a"}, true},
		{"as far ahead as allowed", stamped(at + 300), body, []string{"whsec_a"}, true},

		{"too old", stamped(at - 301), body, []string{"whsec_a"}, false},
		{"from the future", stamped(at + 301), body, []string{"whsec_a"}, false},
		{"no header", "", body, []string{"whsec_a"}, false},
		{"no signature", fmt.Sprintf("t=%d", at), body, []string{"whsec_a"}, false},
		{"empty signature", fmt.Sprintf("t=%d,v1=", at), body, []string{"whsec_a"}, false},
		{"no time", "v1=" + good, body, []string{"whsec_a"}, false},
		{"no time, signed without one", "v1=" + v1("whsec_a", "", body), body, []string{"whsec_a"}, false},
		{"time is no number", "t=today,v1=" + v1("whsec_a", "today", body), body, []string{"whsec_a"}, false},
		{"time beyond all numbers", "t=99999999999999999999,v1=" + v1("whsec_a", "99999999999999999999", body), body, []string{"whsec_a"}, false},
		{"the greatest time", fmt.Sprintf("t=%d,v1=%s", int64(1<<63-1), v1("whsec_a", int64(1<<63-1), body)), body, []string{"whsec_a"}, false},
		{"the least time", fmt.Sprintf("t=%d,v1=%s", int64(-1<<63), v1("whsec_a", int64(-1<<63), body)), body, []string{"whsec_a"}, false},
		{"a fresh time before a signed old one", fmt.Sprintf("t=%d,t=%d,v1=%s", at, at-301, v1("whsec_a", at-301, body)), body, []string{"whsec_a"}, false},
		{"a fresh time after a signed old one", fmt.Sprintf("t=%d,t=%d,v1=%s", at-301, at, v1("whsec_a", at-301, body)), body, []string{"whsec_a"}, false},
		{"only the old scheme", fmt.Sprintf("t=%d,v0=%s", at, good), body, []string{"whsec_a"}, false},
		{"another secret", stamped(at), body, []string{"whsec_b"}, false},
		{"no secret", stamped(at), body, nil, false},
		{"another body", stamped(at), body + " ", []string{"whsec_a"}, false},
		{"another time", fmt.Sprintf("t=%d,v1=%s", at+1, good), body, []string{"whsec_a"}, false},
		{"cut short", fmt.Sprintf("t=%d,v1=%s", at, good[:62]), body, []string{"whsec_a"}, false},
		{"hex garbage", fmt.Sprintf("t=%d,v1=%s", at, strings.Repeat("zz", 32)), body, []string{"whsec_a"}, false},
	} {
		if got := webhook.Verify([]byte(c.payload), c.header, c.secrets, now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestParse(t *testing.T) {
	e, err := webhook.Parse([]byte(`{"id":"evt_1","object":"event","type":"charge.succeeded","livemode":true,"api_version":"2023-10-16","created":1772366400,
		"data":{"object":{"id":"ch_1","object":"charge","customer":"cus_1","receipt_email":"jane@example.com"}}}`))
	want := webhook.Event{ID: "evt_1", Type: "charge.succeeded", Livemode: true, APIVersion: "2023-10-16", CreatedAt: now.UTC(),
		ObjectID: "ch_1", CustomerID: "cus_1", Email: "jane@example.com", Object: e.Object}
	if err != nil || fmt.Sprint(e) != fmt.Sprint(want) || len(e.Object) == 0 {
		t.Errorf("%+v, %v", e, err)
	}
	event := func(object string) string {
		return `{"id":"evt_1","type":"x.y","data":{"object":` + object + `}}`
	}
	for _, c := range []struct{ name, payload, object, customer, email string }{
		{"an expanded customer", event(`{"id":"pi_1","customer":{"id":"cus_1","email":"x@example.com"}}`), "pi_1", "cus_1", ""},
		{"the customer itself", event(`{"id":"cus_1","object":"customer","email":"jane@example.com"}`), "cus_1", "cus_1", "jane@example.com"},
		{"no customer", event(`{"id":"pi_1","customer":null}`), "pi_1", "", ""},
		{"a number for the customer", event(`{"id":"pi_1","customer":7}`), "pi_1", "", ""},
		{"a number for the object's id", event(`{"id":7,"customer":"cus_1"}`), "", "cus_1", ""},
		{"a list for an email", event(`{"id":"in_1","customer_email":["x"],"customer":"cus_1"}`), "in_1", "cus_1", ""},
		{"the invoice's email first", event(`{"id":"in_1","customer_email":"a@example.com","receipt_email":"b@example.com"}`), "in_1", "", "a@example.com"},
		{"an object that is a list", event(`[1,2]`), "", "", ""},
		{"an api version that is missing", event(`{"id":"sub_1"}`), "sub_1", "", ""},
	} {
		e, err := webhook.Parse([]byte(c.payload))
		if err != nil || e.ID != "evt_1" || e.ObjectID != c.object || e.CustomerID != c.customer || e.Email != c.email {
			t.Errorf("%s: %+v, %v", c.name, e, err)
		}
	}
}

// What cannot be filed by its own id is told apart, so that it is kept for a
// person instead of being acknowledged or lost.
func TestParseRefusesWhatItCannotFile(t *testing.T) {
	for name, payload := range map[string]string{
		"nothing":                       "",
		"null":                          "null",
		"no object at all":              "[]",
		"text":                          "hello",
		"a byte order mark":             "\ufeff" + body,
		"cut short":                     body[:len(body)-3],
		"two bodies":                    body + body,
		"no id":                         `{"type":"x","data":{"object":{}}}`,
		"an empty id":                   `{"id":"","type":"x","data":{"object":{}}}`,
		"a number for the id":           `{"id":1,"type":"x","data":{"object":{}}}`,
		"no type":                       `{"id":"evt_1","data":{"object":{}}}`,
		"no data":                       `{"id":"evt_1","type":"x"}`,
		"data is null":                  `{"id":"evt_1","type":"x","data":null}`,
		"created is text":               `{"id":"evt_1","type":"x","created":"today","data":{"object":{}}}`,
		"livemode is text":              `{"id":"evt_1","type":"x","livemode":"true","data":{"object":{}}}`,
		"nested ten thousand deep":      `{"id":"evt_1","type":"x","data":{"object":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}}`,
		"a zero byte in the id":         `{"id":"evt_\u0000","type":"x","data":{"object":{}}}`,
		"a zero byte in what is filed":  `{"id":"evt_1","type":"x","data":{"object":{"id":"pi_1","customer":"cus_\u0000"}}}`,
		"an id that no index can carry": `{"id":"` + strings.Repeat("e", 5000) + `","type":"x","data":{"object":{}}}`,
	} {
		if e, err := webhook.Parse([]byte(payload)); err == nil {
			t.Errorf("%s: filed as %.40q", name, e.ID)
		}
	}
}
