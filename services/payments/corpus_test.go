package payments_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The events of testdata/events are what else happens on an account: other
// products, other versions of Stripe's API, and what looks almost like ours.
func TestEventsThatAreNotOurs(t *testing.T) {
	deliverCorpus(t, filepath.Join("testdata", "events"))
}

// EVENT_CORPUS names a folder of event bodies from outside this repository.
func TestEventCorpus(t *testing.T) {
	dir := os.Getenv("EVENT_CORPUS")
	if dir == "" {
		t.Skip("EVENT_CORPUS names no folder of event bodies")
	}
	deliverCorpus(t, dir)
}

// deliverCorpus signs and delivers each body as it is: every one is
// acknowledged within a second, kept, and makes nothing happen. The tests that
// use it are alone on the machine, for the time is taken.
func deliverCorpus(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no *.json in %s: %v", dir, err)
	}
	s := newScene(t, nil)
	seen := map[string]bool{}
	for n, file := range files {
		payload, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// Several bodies may carry one id; as redeliveries they would not be handled.
		var e struct{ ID string }
		if json.Unmarshal(payload, &e) == nil && seen[e.ID] {
			other := fmt.Sprintf("%s_%d", e.ID, n)
			payload = bytes.ReplaceAll(payload, []byte(e.ID), []byte(other))
			e.ID = other
		}
		seen[e.ID] = true
		for range 2 {
			began := time.Now()
			status, err := s.deliver(payload)
			if took := time.Since(began); took > 5*time.Second { // far below what any timeout would make of it
				t.Errorf("%s: answered after %v", filepath.Base(file), took)
			}
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
			} else if status == "RECEIVED" || status == "FAILED" || status == "PROCESSED" {
				t.Errorf("%s: acknowledged as %s", filepath.Base(file), status)
			}
		}
		if e.ID != "" {
			if kept := s.text(`SELECT convert_from(payload, 'UTF8') FROM payments.webhook_events WHERE stripe_event_id = $1`, e.ID); kept != string(payload) {
				t.Errorf("%s: the bytes are not kept as they came", filepath.Base(file))
			}
		}
	}
	if told := s.orders.calls(""); len(told) != 0 {
		t.Errorf("Orders was told %v", told)
	}
	for _, r := range s.asked() {
		if r.String() != "GET /v1/charges/*" { // whose refund or dispute it is, only the charge tells
			t.Errorf("Stripe was asked %s", r)
		}
	}
	if n := s.text(`SELECT count(*)::text FROM payments.payments`); n != "0" {
		t.Errorf("%s payments were recorded", n)
	}
}
