package order_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"makegood.example/services/orders/internal/order"
)

func TestEmailKey(t *testing.T) {
	for _, c := range []struct{ typed, key string }{
		{"jane@example.com", "jane@example.com"},
		{"  Jane@Example.COM ", "jane@example.com"},
		{"\tJANE@example.com\n", "jane@example.com"},
		{"JOSÉ@example.com", "josé@example.com"},
		{"ÅSA@EXAMPLE.com", "åsa@example.com"},
		{"jane+news@example.com", "jane+news@example.com"}, // another address
		{"   ", ""},
	} {
		if got := order.EmailKey(c.typed); got != c.key {
			t.Errorf("%q: %q, want %q", c.typed, got, c.key)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		typed := rapid.String().Draw(t, "typed")
		if key := order.EmailKey(typed); order.EmailKey(key) != key || order.EmailKey(" "+typed+"\t") != key {
			t.Fatalf("%q is compared as %q, which is not stable", typed, key)
		}
	})
}

func TestMaskEmail(t *testing.T) {
	for _, c := range []struct{ email, masked string }{
		{"jane@example.com", "j***@example.com"},
		{" jane@example.com ", "j***@example.com"},
		{"élodie@example.com", "é***@example.com"},
		{"語@example.com", "語***@example.com"},
		{"@example.com", "***"},
		{"jane", "***"},
		{"", "***"},
		{`"a@b"@example.com`, `"***@example.com`},
	} {
		if got := order.MaskEmail(c.email); got != c.masked {
			t.Errorf("%q: %q, want %q", c.email, got, c.masked)
		}
	}
}

func TestCheckEmail(t *testing.T) {
	for _, good := range []string{"jane@example.com", "a@b", "j+x@example.com", `"a@b"@example.com`, "élodie@example.com", strings.Repeat("j", 242) + "@example.com"} {
		if err := order.CheckEmail(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "jane", "@", "@example.com", "jane@", "ja ne@example.com", "jane@exam\x00ple.com", "jane@example.com\nbcc: x", strings.Repeat("j", 243) + "@example.com"} {
		if err := order.CheckEmail(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}
