package message

import (
	"strings"
	"unicode"

	"makegood.example/services/platform/apperr"
)

// Letter is what a person on support wrote. It is sent as it is: it was true when it
// was sent, and its words were seen by who sent it.
type Letter struct {
	To      string
	Subject string
	Text    string
	// InReplyTo is the Message-ID of the customer's mail, without angle brackets; empty
	// when it is not known.
	InReplyTo string
}

// Checked is the letter as it can be sent. Errors: ErrUndeliverable;
// INVALID_ARGUMENT.
func (l Letter) Checked() (Letter, error) {
	var err error
	if l.To, err = ParseAddress(l.To); err != nil {
		return l, err
	}
	if l.Subject = oneLine(l.Subject); l.Subject == "" {
		return l, apperr.Invalid("letter.subject", "is empty")
	}
	if strings.TrimSpace(l.Text) == "" {
		return l, apperr.Invalid("letter.text", "is empty")
	}
	l.InReplyTo = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(l.InReplyTo), "<"), ">")
	if strings.ContainsFunc(l.InReplyTo, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' }) {
		return l, apperr.Invalid("letter.in_reply_to", "is not the Message-ID of one mail")
	}
	return l, nil
}

// oneLine is text fit for a header.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
