package notifications_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-message/mail"
)

// parsed is a received mail, decoded.
type parsed struct {
	headers    mail.Header
	text, html string
}

func (p parsed) header(name string) string {
	v, _ := p.headers.Text(name)
	return v
}

// mails decodes what the mail server has received, and insists on the number.
func (w *world) mails(want int) []parsed {
	w.t.Helper()
	raw := w.mail.mails()
	if len(raw) != want {
		w.t.Fatalf("the mail server received %d mails, want %d", len(raw), want)
	}
	out := make([]parsed, len(raw))
	for i, r := range raw {
		out[i] = parse(w.t, r)
	}
	return out
}

func parse(t *testing.T, raw string) (p parsed) {
	t.Helper()
	reader, err := mail.CreateReader(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	p.headers = reader.Header
	if kind, _, _ := p.headers.ContentType(); kind != "multipart/alternative" {
		t.Errorf("the mail is %s", kind)
	}
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(part.Body)
		if err != nil {
			t.Fatal(err)
		}
		switch kind, _, _ := part.Header.(*mail.InlineHeader).ContentType(); kind {
		case "text/plain":
			p.text = strings.ReplaceAll(string(body), "\r\n", "\n")
		case "text/html":
			p.html = string(body)
		}
	}
}

// untilIdle waits until no delivery is left to do.
func (w *world) untilIdle() {
	w.t.Helper()
	w.until("no job to be left", func() bool {
		var n int
		if err := w.owner.QueryRow(w.t.Context(), `SELECT count(*) FROM notifications.river_job WHERE state NOT IN ('completed', 'cancelled', 'discarded')`).Scan(&n); err != nil {
			w.t.Fatal(err)
		}
		return n == 0
	})
}
