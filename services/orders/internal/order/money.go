package order

import "makegood.example/services/platform/money"

// Display writes an amount for people: "$249.00", "¥24,900", "KWD 75.000".
func Display(amountMinor int64, currency string) string { return money.Display(amountMinor, currency) }
