package rpc

import (
	"encoding/base64"
	"fmt"
	"math"
	"time"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pg"
	"makegood.example/services/reconciliation/internal/cases"
)

const pageSizeDefault = 50

var errNotOurToken = apperr.Invalid("page_token", "is not from a page of this list")

func pageSize(asked int32) int {
	if asked == 0 {
		return pageSizeDefault
	}
	return int(asked)
}

// Tokens are opaque to callers, so that what they hold may change.

func runsToken(lastID int64) string { return encode("runs %d", lastID) }

// parseRunsToken returns the id that the page must stay below.
func parseRunsToken(token string) (before int64, err error) {
	if token == "" {
		return math.MaxInt64, nil
	}
	return before, decode(token, "runs %d", &before)
}

func auditToken(lastID int64) string { return encode("audit %d", lastID) }

func parseAuditToken(token string) (before int64, err error) {
	if token == "" {
		return math.MaxInt64, nil
	}
	return before, decode(token, "audit %d", &before)
}

func casesToken(last cases.Position) string {
	return encode("queue %d %d %d", last.WaitingSince.UnixMicro(), last.OpenedAt.UnixMicro(), last.ID)
}

func parseCasesToken(token string) (after cases.Position, err error) {
	if token == "" {
		return cases.Position{}, nil
	}
	var waiting, opened int64
	err = decode(token, "queue %d %d %d", &waiting, &opened, &after.ID)
	after.WaitingSince, after.OpenedAt = time.UnixMicro(waiting).UTC(), time.UnixMicro(opened).UTC()
	if err == nil && (!pg.TimeFits(after.WaitingSince) || !pg.TimeFits(after.OpenedAt)) {
		err = errNotOurToken
	}
	return after, err
}

func encode(format string, args ...any) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, format, args...))
}

func decode(token, format string, into ...any) error {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		_, err = fmt.Sscanf(string(text), format, into...)
	}
	if err != nil {
		return errNotOurToken
	}
	return nil
}
