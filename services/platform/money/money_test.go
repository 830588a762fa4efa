package money_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/quick"

	"makegood.example/services/platform/money"
)

func TestDisplay(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{24900, "USD", "$249.00"},
		{1, "USD", "$0.01"},
		{10, "USD", "$0.10"},
		{99, "USD", "$0.99"},
		{100, "USD", "$1.00"},
		{0, "USD", "$0.00"},
		{123456789, "USD", "$1,234,567.89"},
		{100000, "EUR", "€1,000.00"},
		{99999, "GBP", "£999.99"},
		{24900, "CHF", "CHF 249.00"},
		{36900, "JPY", "¥36,900"},
		{0, "JPY", "¥0"},
		{7, "KRW", "₩7"},
		{5000, "CLP", "CLP 5,000"},
		{76500, "KWD", "KWD 76.500"},
		{10, "BHD", "BHD 0.010"},
		{1234560, "TND", "TND 1,234.560"},
		// Two decimals at Stripe although they have none.
		{500000, "ISK", "ISK 5,000.00"},
		{500000, "UGX", "UGX 5,000.00"},
	} {
		if got := money.Display(c.minor, c.currency); got != c.want {
			t.Errorf("%d %s: %q, want %q", c.minor, c.currency, got, c.want)
		}
	}
}

func TestDisplayKeepsEveryDigit(t *testing.T) {
	decimals := map[string]int{"USD": 2, "EUR": 2, "SEK": 2, "ISK": 2, "UGX": 2, "JPY": 0, "VND": 0, "XPF": 0, "KWD": 3, "OMR": 3}
	keeps := func(minor int64, bits uint8) bool {
		minor = minor & (1<<62 - 1) >> (bits % 62) // as many short amounts as long ones
		for currency, n := range decimals {
			text := money.Display(minor, currency)
			number := strings.TrimLeftFunc(text, func(r rune) bool { return r < '0' || r > '9' })
			whole, fraction, _ := strings.Cut(number, ".")
			back, err := strconv.ParseInt(strings.ReplaceAll(whole, ",", "")+fraction, 10, 64)
			if len(fraction) != n || err != nil || back != minor || !grouped.MatchString(whole) {
				t.Logf("%d %s is written %q", minor, currency, text)
				return false
			}
		}
		return true
	}
	if err := quick.Check(keeps, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

// grouped is a number by thousands, without a leading zero.
var grouped = regexp.MustCompile(`^(0|[1-9]\d{0,2}(,\d{3})*)$`)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency string
		problem  string // part of it; empty: allowed
	}{
		{24900, "USD", ""},
		{1, "USD", ""},
		{99_999_999, "USD", ""},
		{100_000_000, "USD", "more than eight digits"},
		{0, "USD", "not positive"},
		{-1, "USD", "not positive"},
		{24900, "usd", "three capital letters"},
		{24900, "US", "three capital letters"},
		{24900, "USDT", "three capital letters"},
		{24900, "", "three capital letters"},
		{24900, "ÄÖ", "three capital letters"},
		{1, "JPY", ""},
		{76500, "KWD", ""},
		{76505, "KWD", "last of three decimals"},
		{76501, "TND", "last of three decimals"},
		{10, "OMR", ""},
		{500000, "ISK", ""},
		{500050, "ISK", "whole ISK"},
		{500001, "UGX", "whole UGX"},
	} {
		err := money.Check(c.minor, c.currency)
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%d %s: %v", c.minor, c.currency, err)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%d %s: %v, want something about %q", c.minor, c.currency, err, c.problem)
		}
	}
}
