package rpc

import (
	"encoding/base64"
	"testing"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pg"
	"makegood.example/services/provisioning/internal/hook"
)

// A token is refused as what it is, or names a place that the database can be
// asked about, and is the same when it is told again.
func FuzzHooksToken(f *testing.F) {
	for _, plain := range []string{"hooks 1 6f9619ff-8b86-5011-b42d-00cf4fc964ff", "hooks -9223372036854775808 6f9619ff-8b86-5011-b42d-00cf4fc964ff", "hooks 1 urn:uuid:6f9619ff-8b86-5011-b42d-00cf4fc964ff", "hooks"} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(plain)))
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		before, id, err := parseHooksToken(token)
		if err != nil {
			if e := apperr.Of(err); e == nil || e.Reason != "INVALID_ARGUMENT" {
				t.Errorf("%q: %v", token, err)
			}
			return
		}
		again, sameID, err := parseHooksToken(hooksToken(hook.Hook{ChangedAt: before, ID: id}))
		if err != nil || !again.Equal(before) || sameID != id || !pg.TimeFits(before) {
			t.Errorf("%q is %s %s, again %s %s, %v", token, before, id, again, sameID, err)
		}
	})
}
