package console

import "testing"

// An amount is read as one amount only, or not at all: it may be one that is refunded.
func TestAnAmountIsReadOrRefusedAndNeverGuessed(t *testing.T) {
	const none = -1
	for _, c := range []struct {
		text, currency string
		minor          int64
	}{
		{"249", "USD", 24900}, {"249.00", "usd", 24900}, {"249,00", "EUR", 24900}, {"$1,249.00", "USD", 124900}, {"1.249,00 €", "EUR", 124900},
		{"1,249", "USD", 124900}, {"1.249", "EUR", 124900}, {"1,234,567.89", "USD", 123456789}, {"0.01", "USD", 1}, {"249.00", "", 24900},
		{"1\u202f249,00", "EUR", 124900}, {"USD 249.00", "USD", 24900}, {"0", "USD", 0},
		{"24900", "JPY", 24900}, {"¥24,900", "JPY", 24900}, {"24.900", "JPY", 24900},
		{"75", "KWD", 75000}, {"75.000", "KWD", 75000}, {"KWD 75.000", "KWD", 75000}, {"1.234", "KWD", 1234}, {"1,234.000", "KWD", 1234000}, {"1.234,000", "KWD", 1234000},

		// A thousand dinars and more, or one and a quarter?
		{"1,234", "KWD", none}, {"1,234,000", "KWD", none}, {"1.234.000", "KWD", none}, {"249,000", "KWD", none},
		{"1,234.567", "USD", none}, {"1.234,567", "EUR", none}, {"1,234,56", "USD", none}, {"1.234.56", "USD", none},
		{"249.00", "JPY", none}, {"249.", "JPY", none}, {"249.5", "USD", none}, {"249.", "USD", none}, {",249", "USD", none}, {".50", "USD", none}, {"12,,345", "USD", none},
		{"1234,567", "USD", none}, {"24,9000", "USD", none}, {"1,23,456", "USD", none}, {"+5", "USD", none}, {"-5", "USD", none}, {"0.-5", "USD", none}, {"5.0.0", "USD", none},
		{"€5 or 6", "EUR", none}, {"EUR 5", "USD", none}, {"", "USD", none}, {".", "USD", none}, {",", "KWD", none}, {"99999999999999999999", "USD", none}, {"٥", "USD", none},
	} {
		minor, ok := parseAmount(c.text, c.currency)
		if ok != (c.minor != none) || ok && minor != c.minor {
			t.Errorf("%q %s is read as %d, %t", c.text, c.currency, minor, ok)
		}
	}
}
