package order

import (
	"errors"
	"strings"
	"unicode"
)

// emailMax is the longest address that mail can be sent to, in bytes (RFC 5321).
const emailMax = 254

// CheckEmail says why an order for this address could never be finished, or
// nil. It looks at the form only; Notifications knows more, but may be away.
func CheckEmail(email string) error {
	at := strings.LastIndexByte(email, '@')
	unfit := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	if at < 1 || at == len(email)-1 || len(email) > emailMax || strings.IndexFunc(email, unfit) >= 0 {
		return errors.New("is not an address that mail can be sent to")
	}
	return nil
}

// EmailKey is an address as it is compared: trimmed, without case. An address
// says where to write, not who someone is.
func EmailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// MaskEmail shows enough for its owner to recognise it, and no more.
func MaskEmail(email string) string {
	email = strings.TrimSpace(email)
	at := strings.LastIndexByte(email, '@') // a quoted local part may contain one too
	if at < 1 {
		return "***"
	}
	first := []rune(email[:at])[0]
	return string(first) + "***" + email[at:]
}
