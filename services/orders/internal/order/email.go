package order

import "strings"

// EmailKey is an address as it is compared: trimmed, without case. An address
// says where to write, not who someone is.
func EmailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// MaskEmail shows enough for its owner to recognise it, and no more.
func MaskEmail(email string) string {
	local, domain, ok := strings.Cut(strings.TrimSpace(email), "@")
	if !ok || local == "" {
		return "***"
	}
	first := []rune(local)[0]
	return string(first) + "***@" + domain
}
