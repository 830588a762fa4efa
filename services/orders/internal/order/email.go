package order

import "strings"

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
