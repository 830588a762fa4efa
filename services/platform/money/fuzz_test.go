package money_test

import (
	"strconv"
	"strings"
	"testing"

	"makegood.example/services/platform/money"
)

// What is shown of an amount is that amount, to the last digit, whatever it is.
func FuzzDisplay(f *testing.F) {
	for _, currency := range []string{"USD", "JPY", "KWD", "ISK", "usd", "", "$1"} {
		for _, amount := range []int64{0, 1, 99, 100, 24900, -1, -24900, 1<<63 - 1, -1 << 63} {
			f.Add(amount, currency)
		}
	}
	f.Fuzz(func(t *testing.T, amount int64, currency string) {
		shown := money.Display(amount, currency)
		if strings.ContainsAny(currency, "0123456789-,. ") {
			return // the digits could not be told from the currency's
		}
		digits := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, shown)
		if amount < 0 {
			digits = "-" + digits
		}
		if back, err := strconv.ParseInt(digits, 10, 64); err != nil || back != amount {
			t.Errorf("%d %q is shown as %q", amount, currency, shown)
		}
		whole, fraction, point := strings.Cut(shown, ".")
		if n := money.Decimals(currency); point != (n > 0) || len(fraction) != n || strings.Contains(fraction, "-") || strings.Count(whole, "-") > 1 {
			t.Errorf("%d %q is shown as %q", amount, currency, shown)
		}
		if (amount < 0) != strings.HasPrefix(shown, "-") {
			t.Errorf("%d %q is shown as %q", amount, currency, shown)
		}
		if money.Check(amount, currency) == nil && (amount <= 0 || len(currency) != 3 || currency != strings.ToUpper(currency)) {
			t.Errorf("Stripe would not take %d %q", amount, currency)
		}
	})
}
