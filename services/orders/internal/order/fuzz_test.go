package order_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"makegood.example/services/orders/internal/order"
)

// Whatever happens in whatever order, what is known of the money is not lost: who
// has paid is not asked again, who got it all back is not given access again.
func FuzzStates(f *testing.F) {
	f.Add(byte(0), []byte{0, 4})             // paid, fulfilled
	f.Add(byte(0), []byte{1, 3, 0, 5, 6, 0}) // declined, another card, paid late, refunded, paid
	f.Add(byte(0), []byte{2, 0, 4, 6})
	f.Add(byte(6), []byte{5, 6, 4})
	unpaid := []order.State{order.Pending, order.Failed, order.Expired}
	f.Fuzz(func(t *testing.T, first byte, happened []byte) {
		// An order begins with an intent or with a charge that had none.
		state, paid := order.Pending, false
		if first%2 == 1 {
			state, paid = order.Orphaned, true
		}
		refunded := false
		for _, b := range happened {
			event := order.Events[int(b)%len(order.Events)]
			next, ok := state.After(event)
			if !ok {
				continue // old news
			}
			paid = paid || event == order.Paid || event == order.Refund
			refunded = refunded || event == order.Refund
			switch {
			case !slices.Contains(order.States, next):
				t.Fatalf("%s after %s is %q", state, event, next)
			case paid && slices.Contains(unpaid, next):
				t.Fatalf("%s after %s is %s, and was paid", state, event, next)
			case refunded && next != order.Refunded:
				t.Fatalf("%s after %s is %s, and all of it went back", state, event, next)
			case next.Fulfilled() && !paid:
				t.Fatalf("%s after %s is %s, and nothing was paid", state, event, next)
			case next == state:
				t.Fatalf("%s after %s is the same: that would be written as a change", state, event)
			}
			state = next
		}
		// Whatever was paid and not given back comes to rest with access, by the next steps alone.
		for range 2 {
			if next, ok := state.After(order.Fulfilled); ok {
				state = next
			} else if next, ok := state.After(order.FulfilledLate); ok {
				state = next
			}
		}
		if paid && !refunded && !state.Fulfilled() || !paid && state.Fulfilled() {
			t.Errorf("paid %t, refunded %t, and ends as %s after %v", paid, refunded, state, happened)
		}
	})
}

// An address that is taken can be kept, compared and shown masked.
func FuzzEmail(f *testing.F) {
	for _, email := range []string{
		"jane@example.com", " Jane.Doe@EXAMPLE.com ", "a@b@c", "@", "@example.com", "jane@", "İ@example.com", "ẞ@straße.example",
		"ǅ@example.com", "\u00a0jane@example.com", "jane@example.com\x00", "\"a b\"@example.com", "\xff@example.com", strings.Repeat("x", 300) + "@example.com",
	} {
		f.Add(email)
	}
	f.Fuzz(func(t *testing.T, email string) {
		if !utf8.ValidString(email) {
			return // no request can carry it
		}
		key := order.EmailKey(email)
		if order.EmailKey(key) != key || order.EmailKey(strings.ToUpper(key)) == "" && key != "" {
			t.Errorf("the key of %q is %q, and of that %q", email, key, order.EmailKey(key))
		}
		masked := order.MaskEmail(email)
		if at := strings.LastIndexByte(strings.TrimSpace(email), '@'); at > 0 {
			local := strings.TrimSpace(email)[:at]
			if runes := []rune(local); len(runes) > 4 && strings.HasPrefix(masked, string(runes[:2])) && runes[1] != '*' {
				t.Errorf("%q is masked as %q", email, masked)
			}
		} else if masked != "***" {
			t.Errorf("%q is masked as %q", email, masked)
		}
		if order.CheckEmail(email) != nil {
			return
		}
		if key == "" || key != strings.Trim(key, " ") || strings.ContainsRune(email, 0) || order.CheckEmail(key) != nil && len(key) <= len(email) {
			t.Errorf("%q is taken, and its key is %q", email, key)
		}
	})
}
