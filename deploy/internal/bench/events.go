package bench

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

//go:embed objects/*.json
var objects embed.FS

// kinds are what an account sends that also sells other things: most of it
// says nothing to us, some looks like a payment and is not ours.
var kinds = []struct{ eventType, object string }{
	{"payment_intent.succeeded", "payment_intent"},
	{"charge.succeeded", "charge"},
	{"payment_intent.created", "payment_intent"},
	{"invoice.finalized", "invoice"},
	{"customer.subscription.updated", "subscription"},
	{"customer.updated", "customer"},
	{"charge.updated", "charge"},
	{"invoice.updated", "invoice"},
	{"payment_intent.succeeded", "payment_intent"},
	{"charge.succeeded", "charge"},
}

const envelope = `{
  "id": "evt_bench@serial@",
  "object": "event",
  "api_version": "2023-10-16",
  "created": @created@,
  "data": {
    "object": @object@  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": {
    "id": "req_bench",
    "idempotency_key": "@serial@"
  },
  "type": "@type@"
}`

// serialMark stands where an event's own number goes; it has that number's length.
const serialMark = "################"

// mixed makes events of all kinds, each with ids of its own.
type mixed struct {
	secret  string
	bodies  [][]byte
	counter atomic.Uint64
	// prefix keeps two runs, and two targets, from sending the same event.
	prefix uint64
}

func newMixed(secret string, prefix uint8) (*mixed, error) {
	m := &mixed{secret: secret, prefix: uint64(prefix)}
	for _, k := range kinds {
		body, err := renderEvent(k.eventType, k.object, map[string]string{
			"serial": serialMark, "amount": "2900", "currency": "usd", "customer": "cus_bench" + serialMark, "intent": "pi_bench" + serialMark,
			"metadata": metadata("cart", "cart-"+serialMark, "campaign", "spring-letter", "seller", "another application on this account"),
		})
		if err != nil {
			return nil, err
		}
		m.bodies = append(m.bodies, body)
	}
	return m, nil
}

// renderEvent fills a template in the form in which Stripe sends events.
func renderEvent(eventType, object string, values map[string]string) ([]byte, error) {
	template, err := objects.ReadFile("objects/" + object + ".json")
	if err != nil {
		return nil, err
	}
	text := strings.NewReplacer("@object@", string(template), "@type@", eventType).Replace(envelope)
	pairs := []string{"@created@", strconv.FormatInt(time.Now().Unix(), 10)}
	for key, value := range values {
		pairs = append(pairs, "@"+key+"@", value)
	}
	return []byte(strings.NewReplacer(pairs...).Replace(text)), nil
}

// metadata are the pairs, in Stripe's form.
func metadata(pairs ...string) string {
	var lines []string
	for i := 0; i < len(pairs); i += 2 {
		lines = append(lines, fmt.Sprintf("        %q: %q", pairs[i], pairs[i+1]))
	}
	return "{\n" + strings.Join(lines, ",\n") + "\n      }"
}

// body is the next event, unsigned.
func (m *mixed) body() []byte {
	n := m.counter.Add(1)
	serial := fmt.Sprintf("%02x%014x", m.prefix, n)
	return bytes.ReplaceAll(m.bodies[n%uint64(len(m.bodies))], []byte(serialMark), []byte(serial))
}

// requests are n deliveries, ready to be written to a connection.
func (m *mixed) requests(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = delivery(m.secret, m.body())
	}
	return out
}

// delivery is the HTTP request by which Stripe delivers a body, signed now.
func delivery(secret string, body []byte) []byte {
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	head := fmt.Sprintf("POST /webhooks/stripe HTTP/1.1\r\nHost: bench\r\nUser-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n"+
		"Content-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nStripe-Signature: t=%s,v1=%s\r\n\r\n",
		len(body), at, hex.EncodeToString(mac.Sum(nil)))
	return append([]byte(head), body...)
}
