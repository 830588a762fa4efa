package inbox

import (
	"bytes"
	"errors"
	"io"
	"net/textproto"
	"strings"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // decodes mails that are not UTF-8
	"github.com/emersion/go-message/mail"
)

// Envelope is what the inbox knows of a delivery without opening the mail.
type Envelope struct {
	ID         string    `json:"id"` // sorts in order of arrival
	ReceivedAt time.Time `json:"received_at"`
	From       string    `json:"from"`       // MAIL FROM, the return path
	To         []string  `json:"to"`         // RCPT TO, as typed
	Subject    string    `json:"subject"`    // decoded
	MessageID  string    `json:"message_id"` // without the angle brackets
}

// Message is an accepted delivery with its content decoded.
type Message struct {
	Envelope
	// Headers by canonical name ("Message-Id", "X-Makegood-Kind"), decoded;
	// a header that occurs more than once has its values on lines of their own.
	Headers map[string]string `json:"headers"`
	Text    string            `json:"text"`
	HTML    string            `json:"html"`
	// ParseError tells why text and html may be incomplete.
	ParseError string `json:"parse_error,omitempty"`
}

// parse decodes a raw mail. A mail that cannot be decoded is still a mail: what
// could be read is returned, with the reason why the rest could not.
func parse(envelope Envelope, raw []byte) Message {
	msg := Message{Envelope: envelope, Headers: map[string]string{}}
	reader, err := mail.CreateReader(bytes.NewReader(raw))
	if reader == nil {
		msg.ParseError = err.Error()
		return msg
	}
	defer reader.Close()
	for fields := reader.Header.Fields(); fields.Next(); {
		value, err := fields.Text()
		if err != nil {
			value = fields.Value()
		}
		key := textproto.CanonicalMIMEHeaderKey(fields.Key())
		if earlier, ok := msg.Headers[key]; ok {
			value = earlier + "\n" + value
		}
		msg.Headers[key] = value
	}
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return msg
		}
		if err != nil && !message.IsUnknownCharset(err) {
			msg.ParseError = err.Error()
			return msg
		}
		header, inline := part.Header.(*mail.InlineHeader)
		if !inline {
			continue
		}
		body, err := io.ReadAll(part.Body)
		if err != nil {
			msg.ParseError = err.Error()
		}
		text := strings.ReplaceAll(string(body), "\r\n", "\n") // as lines end outside of mails
		switch kind, _, _ := header.ContentType(); kind {
		case "text/html":
			msg.HTML += text
		case "text/plain", "":
			msg.Text += text
		}
	}
}

// describe reads the header fields that the list of mails shows.
func describe(raw []byte) (subject, messageID string) {
	entity, err := message.Read(bytes.NewReader(raw))
	if entity == nil {
		return "(unreadable: " + err.Error() + ")", ""
	}
	header := mail.Header{Header: entity.Header}
	if subject, err = header.Subject(); err != nil {
		subject = entity.Header.Get("Subject")
	}
	if messageID, err = header.MessageID(); err != nil {
		messageID = trimBrackets(entity.Header.Get("Message-Id"))
	}
	return subject, messageID
}

func trimBrackets(id string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(id), "<"), ">")
}
