package message

import (
	"encoding/hex"
	"strings"
	"unicode"

	"github.com/google/uuid"
)

// TeamAlert is something for the people who run this.
type TeamAlert struct {
	// DedupeKey names it; told again under the same name, it is the same.
	DedupeKey string
	Title     string
	Lines     []string
}

// KeyFor is the dedupe key of the mail to one address. Each address has a mail of
// its own: one that is refused must not stop the others.
func (a TeamAlert) KeyFor(address string) string {
	to := uuid.NewSHA1(keys, []byte(strings.ToLower(address)))
	return "alert/" + a.DedupeKey + "/" + hex.EncodeToString(to[:6])
}

// OneLine is the title fit for a subject line.
func (a TeamAlert) OneLine() string {
	return strings.Join(strings.FieldsFunc(a.Title, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
