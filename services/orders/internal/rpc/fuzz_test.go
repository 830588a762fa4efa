package rpc

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pg"
)

// A token is refused as what it is, or names a place that the database can be
// asked about, and is the same when it is told again.
func FuzzPageToken(f *testing.F) {
	f.Add("")
	f.Add(pageToken(time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC), uuid.Max))
	f.Add("MDAwMC0wMS0wMVQwMDowMDowMFogMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw")
	f.Fuzz(func(t *testing.T, token string) {
		at, id, err := parsePageToken(token)
		if err != nil {
			if e := apperr.Of(err); e == nil || e.Reason != "INVALID_ARGUMENT" {
				t.Errorf("%q: %v", token, err)
			}
			return
		}
		if token == "" {
			return
		}
		again, sameID, err := parsePageToken(pageToken(at, id))
		if !pg.TimeFits(at) || err != nil || !again.Equal(at) || sameID != id {
			t.Errorf("%q is %s %s, again %s %s, %v", token, at, id, again, sameID, err)
		}
	})
}
