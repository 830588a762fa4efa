package message

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestParseAddress(t *testing.T) {
	for typed, want := range map[string]string{
		"jane@example.com":              "jane@example.com",
		"  jane@example.com ":           "jane@example.com",
		"Jane.Q+tag_1@Mail.Example.COM": "Jane.Q+tag_1@Mail.Example.COM",
		"o'hara@xn--bcher-kva.example":  "o'hara@xn--bcher-kva.example",
		"j@e.xn--p1ai":                  "j@e.xn--p1ai",
	} {
		if got, err := ParseAddress(typed); err != nil || got != want {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
	for _, typed := range []string{
		"", " ", "jane", "@example.com", "jane@", "jane@example", "jane@localhost", "jane@@example.com", "jane@example..com",
		"jane@.example.com", "jane@example.com.", "jane@-example.com", "jane@example-.com", "jane@127.0.0.1", "jane@[127.0.0.1]",
		".jane@example.com", "jane.@example.com", "ja..ne@example.com", "ja ne@example.com", `"ja ne"@example.com`,
		"Jane <jane@example.com>", "<jane@example.com>", "jane@example.com, joe@example.com", "jane@example.com;joe@example.com",
		"jane@example.com\r\nBcc: eve@example.com", "jane@example.com\n", "\tjane@example.com", "jane\x00@example.com", "jane@exa\u202emple.com",
		"jané@example.com", "jane@bücher.example", "jane(comment)@example.com", "jane@example.c",
		strings.Repeat("a", 65) + "@example.com", "jane@" + strings.Repeat("a.", 130) + "com", "jane@" + strings.Repeat("a", 64) + ".com",
	} {
		if got, err := ParseAddress(typed); !errors.Is(err, ErrUndeliverable) {
			t.Errorf("%q is accepted as %q", typed, got)
		}
	}
}

func TestIdsDeriveFromTheKey(t *testing.T) {
	order, now := uuid.New(), time.Now()
	a := New("order/1/confirmation", Confirmation, order, "example.com", now)
	b := New("order/1/confirmation", Recovery, order, "example.com", now.Add(time.Hour))
	c := New("order/2/confirmation", Confirmation, order, "example.com", now)
	if a.ID != b.ID || a.MessageID != b.MessageID || a.ID == c.ID || a.MessageID == c.MessageID {
		t.Errorf("%v\n%v\n%v", a, b, c)
	}
	if len(a.MessageID) != 32+len("@example.com") {
		t.Errorf("Message-ID %q", a.MessageID)
	}
}
