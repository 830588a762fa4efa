package desk

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// QueryKind is what a customer's words are.
type QueryKind string

// The kinds of words that can be looked up.
const (
	ByEmail     QueryKind = "email"
	ByReference QueryKind = "reference"
	// ByID is a whole UUID: an order's, a reference's or an account's.
	ByID       QueryKind = "id"
	ByIntent   QueryKind = "payment intent"
	ByCharge   QueryKind = "charge"
	ByCustomer QueryKind = "customer"
	ByCard     QueryKind = "card"
)

// Query is what is looked up.
type Query struct {
	Kind QueryKind
	// Text is the words, as they are compared; empty for ByCard.
	Text string
	Card CardHint
}

// CardHint is what a customer reads off a bank statement.
type CardHint struct {
	Last4 string
	// AmountMinor is in minor units of Currency, which is empty for any.
	AmountMinor int64
	Currency    string
	Day         time.Time
}

// ReadQuery says what a customer's words are; false when they are nothing that can
// be looked up. They may come as they were copied: in quotes, brackets, or after a #;
// with a name before the address; as the link of a page; or in a sentence, if it has
// one thing alone that can be looked up.
func ReadQuery(words string) (Query, bool) {
	if q, ok := readWord(words); ok {
		return q, true
	}
	var found []Query
	for _, q := range inSentence(words) {
		if !slices.Contains(found, q) {
			found = append(found, q)
		}
	}
	if len(found) != 1 {
		return Query{}, false // of several it would be a guess
	}
	return found[0], true
}

// inSentence is what a sentence or a link has that can be looked up. Of addresses only
// one in angle brackets counts: part of one that was torn may be somebody else's. A
// short reference has letters and digits, unlike a word, a date or an amount.
func inSentence(words string) (found []Query) {
	for _, word := range strings.Fields(words) {
		parts := []string{word}
		if strings.Contains(word, "://") {
			parts = strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune("/?=&#", r) })
		}
		for _, part := range parts {
			q, ok := readWord(part)
			switch {
			case !ok,
				q.Kind == ByEmail && !(strings.HasPrefix(word, "<") && strings.Contains(word, ">")),
				q.Kind == ByReference && (!strings.ContainsAny(q.Text, "0123456789") || !strings.ContainsAny(q.Text, "ABCDEF")):
				continue
			}
			found = append(found, q)
		}
	}
	return found
}

func readWord(words string) (Query, bool) {
	text := strings.Trim(strings.TrimSpace(words), "<>\"'`.,;:#()[] \t\r\n")
	if address, ok := strings.CutPrefix(text, "mailto:"); ok {
		text, _, _ = strings.Cut(address, "?")
	}
	for _, s := range []struct {
		prefix string
		kind   QueryKind
	}{{"pi_", ByIntent}, {"ch_", ByCharge}, {"py_", ByCharge}, {"cus_", ByCustomer}} {
		if strings.HasPrefix(text, s.prefix) && len(text) > len(s.prefix) && strings.IndexFunc(text, notOfAnID) < 0 {
			id, _, _ := strings.Cut(text, "_secret_") // as a browser has it
			return Query{Kind: s.kind, Text: id}, true
		}
	}
	if at := strings.LastIndexByte(text, '@'); at > 0 && at < len(text)-1 && !strings.ContainsAny(text, " \t\r\n\x00") {
		return Query{Kind: ByEmail, Text: text}, true
	}
	if id, err := uuid.Parse(text); err == nil {
		return Query{Kind: ByID, Text: id.String()}, true
	}
	digits := strings.ReplaceAll(strings.ToUpper(text), "-", "")
	if len(digits) >= 8 && len(digits) <= 32 && strings.Trim(digits, "0123456789ABCDEF") == "" {
		return Query{Kind: ByReference, Text: digits}, true
	}
	return Query{}, false
}

func notOfAnID(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

const (
	// The first and the last time zone: a day begins 14 hours before UTC's and ends 12
	// hours after it.
	firstZone, lastZone = 14 * time.Hour, 12 * time.Hour
	day24               = 24 * time.Hour
)

// Window is when the charge on a statement may have been made: on the day that is
// printed or a day to either side, which banks differ by, in any time zone.
func (h CardHint) Window() (from, before time.Time) {
	return h.Day.Add(-day24 - firstZone), h.Day.Add(2*day24 + lastZone)
}
