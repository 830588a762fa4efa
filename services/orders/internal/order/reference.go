package order

import (
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

// ReferencesBeginning is the first and the last UUID that begin with some
// hexadecimal digits; case and dashes do not matter. False when they are none, fewer
// than the eight that people are told, or more than a UUID has.
func ReferencesBeginning(digits string) (first, last uuid.UUID, ok bool) {
	digits = strings.ReplaceAll(digits, "-", "")
	if len(digits) < 8 || len(digits) > 32 {
		return first, last, false
	}
	rest := 32 - len(digits)
	a, errA := hex.DecodeString(digits + strings.Repeat("0", rest))
	b, errB := hex.DecodeString(digits + strings.Repeat("f", rest))
	if errA != nil || errB != nil {
		return first, last, false
	}
	return uuid.UUID(a), uuid.UUID(b), true
}
