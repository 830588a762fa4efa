// Package webhook reads one delivery from Stripe: whether it is signed, and the
// few fields by which it is filed.
package webhook

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far a signature's time may be from ours, either way.
const Tolerance = 5 * time.Minute

// Verify says whether header signs payload with one of the secrets, over the
// bytes exactly as they came.
func Verify(payload []byte, header string, secrets []string, now time.Time) bool {
	stamp, signatures := "", [][]byte{}
	for part := range strings.SplitSeq(header, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "t":
			stamp = value
		case "v1":
			if sig, err := hex.DecodeString(value); err == nil {
				signatures = append(signatures, sig)
			}
		}
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > Tolerance {
		return false
	}
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(stamp))
		mac.Write([]byte("."))
		mac.Write(payload)
		want := mac.Sum(nil)
		for _, sig := range signatures {
			if hmac.Equal(want, sig) {
				return true
			}
		}
	}
	return false
}

// Event is a delivery, filed.
type Event struct {
	ID         string
	Type       string
	Livemode   bool
	CreatedAt  time.Time
	APIVersion string
	ObjectID   string
	CustomerID string
	Email      string
	// Object is data.object as it came.
	Object json.RawMessage
}

// Parse reads the fields by which an event is filed. What the object says is
// read by its handler.
func Parse(payload []byte) (Event, error) {
	f, plain := scan(payload)
	if !plain {
		var err error
		if f, err = decode(payload); err != nil {
			return Event{}, err
		}
	}
	return f.event()
}

// decode reads the fields as encoding/json takes them, whatever their form.
func decode(payload []byte) (fields, error) {
	var body struct {
		ID         string `json:"id"`
		Type       string `json:"type"`
		Livemode   bool   `json:"livemode"`
		APIVersion string `json:"api_version"`
		Created    int64  `json:"created"`
		Data       struct {
			Object json.RawMessage `json:"object"`
		} `json:"data"`
	}
	if err := json.Unmarshal(payload, &body); err != nil {
		return fields{}, err
	}
	var object struct {
		ID            string          `json:"id"`
		Object        string          `json:"object"`
		Customer      json.RawMessage `json:"customer"`
		Email         string          `json:"email"`
		CustomerEmail string          `json:"customer_email"`
		ReceiptEmail  string          `json:"receipt_email"`
	}
	// An object of another shape still is an event to file.
	_ = json.Unmarshal(body.Data.Object, &object)
	return fields{
		id: body.ID, eventType: body.Type, apiVersion: body.APIVersion, livemode: body.Livemode, created: body.Created, object: body.Data.Object,
		objectID: object.ID, objectKind: object.Object, customer: object.Customer,
		email: object.Email, customerEmail: object.CustomerEmail, receiptEmail: object.ReceiptEmail,
	}, nil
}

// event is the delivery by its fields, or why it cannot be filed.
func (f fields) event() (Event, error) {
	if f.id == "" || f.eventType == "" || len(f.object) == 0 {
		return Event{}, errors.New("it has no id, type or object")
	}
	e := Event{
		ID: f.id, Type: f.eventType, Livemode: f.livemode, CreatedAt: time.Unix(f.created, 0).UTC(), APIVersion: f.apiVersion,
		ObjectID: f.objectID, CustomerID: IDOf(f.customer), Email: cmp.Or(f.customerEmail, f.receiptEmail, f.email), Object: f.object,
	}
	if f.objectKind == "customer" {
		e.CustomerID = e.ObjectID
	}
	for _, text := range []string{e.ID, e.Type, e.APIVersion, e.ObjectID, e.CustomerID, e.Email} {
		if len(text) > fieldMax || strings.ContainsRune(text, 0) {
			return Event{}, errors.New("a field by which it is filed is too long, or has a zero byte")
		}
	}
	return e, nil
}

// fieldMax bounds what is filed: PostgreSQL keeps no zero byte in a text and no
// long text in an index, and Stripe has neither.
const fieldMax = 500

// IDOf reads a reference that is an id, or the object itself when expanded.
func IDOf(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if s := (scanner{b: raw}); raw[0] == '"' {
		if id, plain, ok := s.string(); ok && plain && s.i == len(raw) {
			return string(id)
		}
	}
	var id string
	if json.Unmarshal(raw, &id) == nil {
		return id
	}
	var object struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(raw, &object)
	return object.ID
}
