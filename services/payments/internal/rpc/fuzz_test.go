package rpc

import (
	"encoding/base64"
	"testing"
	"time"

	"makegood.example/services/payments/internal/store"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pg"
)

// A token is refused as what it is, or names a place that the database can be
// asked about, and is the same when it is told again.
func FuzzEventsToken(f *testing.F) {
	last := store.Entry{AttemptCount: 3, ReceivedAt: time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC), EventID: "evt_1"}
	for _, plain := range []string{"newest 1 -9223372036854775808 \"evt_1\"", "newest 1 1 \"\\x00\"", "newest 1 1 \"\\xff\"", "attempts -1 1 `evt`", "newest"} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(plain)), false)
	}
	f.Add(eventsToken(last, true), true)
	f.Add("", false)
	f.Fuzz(func(t *testing.T, token string, mostAttempts bool) {
		at, err := parseEventsToken(token, mostAttempts)
		if err != nil {
			if e := apperr.Of(err); e == nil || e.Reason != "INVALID_ARGUMENT" {
				t.Errorf("%q: %v", token, err)
			}
			return
		}
		if at == nil {
			if token != "" {
				t.Errorf("%q is the first page", token)
			}
			return
		}
		again, err := parseEventsToken(eventsToken(*at, mostAttempts), mostAttempts)
		if err != nil || again.EventID != at.EventID || !again.ReceivedAt.Equal(at.ReceivedAt) || again.AttemptCount != at.AttemptCount ||
			!pg.TimeFits(at.ReceivedAt) || !pg.TextFits(at.EventID) {
			t.Errorf("%q is %+v, again %+v, %v", token, at, again, err)
		}
	})
}
