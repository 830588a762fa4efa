package mail

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// Answers about us being let in (RFC 4954) or about the server itself refuse
// all mails, until somebody mends the settings or the server.
const (
	shuttingDown      = 421
	loginWanted       = 530
	loginTooWeak      = 534
	loginRefused      = 535
	encryptionWanted  = 538
	firstPermanent    = 500
	firstNotPermanent = 600
)

// explainLogin is about everything before the first mail; it is never about one.
func (s Server) explainLogin(err error, l line) *Error {
	e := &Error{Server: true, what: "connecting to the mail server: " + err.Error()}
	var answer *textproto.Error
	switch {
	case errors.As(err, &answer):
		e.what = fmt.Sprintf("connecting to the mail server: it answered %d%s", answer.Code, s.hint(answer.Code, l))
	case s.user != "" && l.open && !l.encrypted && !broken(err):
		// It offers no way of logging in, or none that keeps the password secret.
		e.what = "logging in to the mail server: it cannot be done without sending the password unencrypted" + s.hint(encryptionWanted, l)
	}
	return e
}

// broken says whether err is about the connection or its encryption, rather
// than about what the server offers.
func broken(err error) bool {
	var network net.Error
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &network) || errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert)
}

// explain keeps what helps and leaves out what may name a person.
func (s Server) explain(err error, l line) *Error {
	var refused *gomail.SendError
	if !errors.As(err, &refused) {
		return &Error{what: "sending: " + err.Error()}
	}
	code := refused.ErrorCode()
	if code == 0 {
		return &Error{Server: true, what: refused.Reason.String() + ": the connection broke, or the mail server did not answer in time"}
	}
	answered := strings.TrimSpace(fmt.Sprintf("%s: the mail server answered %d %s", refused.Reason, code, refused.EnhancedStatusCode()))
	switch code {
	case shuttingDown, loginWanted, loginTooWeak, loginRefused, encryptionWanted:
		return &Error{Server: true, what: answered + s.hint(code, l)}
	}
	return &Error{Permanent: code >= firstPermanent && code < firstNotPermanent, what: answered}
}

// hint says what to mend when we are not let in.
func (s Server) hint(code int, l line) string {
	var hints []string
	switch code {
	case loginWanted, loginTooWeak, encryptionWanted:
		if !l.encrypted {
			hints = append(hints, "the connection is not encrypted, because the server offers no TLS (STARTTLS): SMTP_URL needs a server or port that does, or smtps://")
		}
		if s.user == "" {
			hints = append(hints, "SMTP_URL names no user to log in as")
		}
	case loginRefused:
		hints = append(hints, "it refuses the user or the password of SMTP_URL")
	}
	if len(hints) == 0 {
		return ""
	}
	return "; " + strings.Join(hints, "; ")
}
