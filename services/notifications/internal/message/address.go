package message

import (
	"net/mail"
	"regexp"
	"strings"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// ErrUndeliverable says that no mail can be addressed there.
var ErrUndeliverable = &apperr.Error{
	Code: codes.InvalidArgument, Reason: "UNDELIVERABLE_ADDRESS",
	Message:    "this is not an email address that mail can be sent to",
	Violations: []apperr.Violation{{Field: "email", Description: "must be one email address, such as jane@example.com"}},
}

// Limits of RFC 5321.
const (
	addressMax = 254
	localMax   = 64
)

// What mail servers in use accept: an unquoted ASCII local part, and a domain
// of letter-digit-hyphen labels with a dot. The last label is not a number,
// which would be an IP address.
var (
	localPart = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
	domain    = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])$`)
)

// ParseAddress returns the bare address to send to, or ErrUndeliverable. Only
// spaces around it are forgiven: they are what people paste.
func ParseAddress(typed string) (string, error) {
	address := strings.Trim(typed, " ")
	if address == "" || len(address) > addressMax {
		return "", ErrUndeliverable
	}
	parsed, err := mail.ParseAddress(address)
	// Equal to what was typed: no display name, no comment, no folding.
	if err != nil || parsed.Name != "" || parsed.Address != address {
		return "", ErrUndeliverable
	}
	at := strings.LastIndexByte(address, '@')
	if at > localMax || !localPart.MatchString(address[:at]) || !domain.MatchString(address[at+1:]) {
		return "", ErrUndeliverable
	}
	return address, nil
}
