package rpc

import (
	"testing"
	"time"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pg"
	"makegood.example/services/reconciliation/internal/cases"
)

// A token is refused as what it is, or names a place that the database can be
// asked about, and is the same when it is told again.
func FuzzPageTokens(f *testing.F) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)
	for _, token := range []string{
		"", runsToken(7), auditToken(-1), casesToken(cases.Position{WaitingSince: noon, OpenedAt: noon, ID: 7}),
		encode("queue %d %d %d", int64(-1<<63), int64(1<<63-1), int64(1)), encode("runs 5 and more"), encode("queue 1 2"),
	} {
		f.Add(token)
	}
	refused := func(t *testing.T, token string, err error) bool {
		if e := apperr.Of(err); err != nil && (e == nil || e.Reason != "INVALID_ARGUMENT") {
			t.Errorf("%q: %v", token, err)
		}
		return err != nil || token == ""
	}
	f.Fuzz(func(t *testing.T, token string) {
		if before, err := parseRunsToken(token); !refused(t, token, err) {
			if again, err := parseRunsToken(runsToken(before)); err != nil || again != before {
				t.Errorf("%q is %d, again %d, %v", token, before, again, err)
			}
		}
		if before, err := parseAuditToken(token); !refused(t, token, err) {
			if again, err := parseAuditToken(auditToken(before)); err != nil || again != before {
				t.Errorf("%q is %d, again %d, %v", token, before, again, err)
			}
		}
		if after, err := parseCasesToken(token); !refused(t, token, err) {
			again, err := parseCasesToken(casesToken(after))
			if err != nil || again != after || !pg.TimeFits(after.WaitingSince) || !pg.TimeFits(after.OpenedAt) {
				t.Errorf("%q is %+v, again %+v, %v", token, after, again, err)
			}
		}
	})
}
