// Package money is how amounts are counted and written: minor units and an ISO
// currency, as Stripe counts them. What is told to a person reads the same
// whoever tells it.
package money

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// How Stripe counts minor units: not always as ISO 4217 does.
// https://docs.stripe.com/currencies
var (
	zeroDecimal  = set("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF")
	threeDecimal = set("BHD JOD KWD OMR TND")
	// Kept at two decimals by Stripe for old callers; the decimals must be 00.
	wholeOnly = set("ISK UGX")
	symbols   = map[string]string{"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
)

func set(codes string) map[string]bool {
	m := map[string]bool{}
	for c := range strings.FieldsSeq(codes) {
		m[c] = true
	}
	return m
}

// Decimals is how many digits of an amount stand behind the point.
func Decimals(currency string) int {
	switch {
	case zeroDecimal[currency]:
		return 0
	case threeDecimal[currency]:
		return 3
	default:
		return 2
	}
}

// NotInCents lists the currencies whose minor unit is no hundredth.
func NotInCents() []string {
	return slices.Concat(slices.Sorted(maps.Keys(zeroDecimal)), slices.Sorted(maps.Keys(threeDecimal)))
}

// Display writes an amount for people: "$249.00", "¥24,900", "-KWD 75.000".
func Display(amountMinor int64, currency string) string {
	digits, minus := strings.CutPrefix(strconv.FormatInt(amountMinor, 10), "-")
	sign := ""
	if minus {
		sign = "-"
	}
	n := Decimals(currency)
	if len(digits) <= n {
		digits = strings.Repeat("0", n+1-len(digits)) + digits
	}
	whole, fraction := digits[:len(digits)-n], digits[len(digits)-n:]
	var grouped strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			grouped.WriteByte(',')
		}
		grouped.WriteRune(d)
	}
	text := grouped.String()
	if n > 0 {
		text += "." + fraction
	}
	if s, ok := symbols[currency]; ok {
		return sign + s + text
	}
	return sign + currency + " " + text
}

// Check says why Stripe would refuse a price, or nil.
func Check(amountMinor int64, currency string) error {
	isCode := len(currency) == 3 && strings.IndexFunc(currency, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
	switch {
	case !isCode:
		return fmt.Errorf("currency %q is not three capital letters", currency)
	case amountMinor <= 0:
		return fmt.Errorf("amount_minor %d %s is not positive", amountMinor, currency)
	case amountMinor > 99_999_999:
		return fmt.Errorf("amount_minor %d %s has more than eight digits, which Stripe refuses", amountMinor, currency)
	case threeDecimal[currency] && amountMinor%10 != 0:
		return fmt.Errorf("amount_minor %d %s: Stripe wants the last of three decimals to be 0", amountMinor, currency)
	case wholeOnly[currency] && amountMinor%100 != 0:
		return fmt.Errorf("amount_minor %d %s: Stripe wants whole %s only", amountMinor, currency, currency)
	}
	return nil
}
