package console

import (
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/money"
)

var errAmount = apperr.New(codes.InvalidArgument, "INVALID_ARGUMENT", "the amount is not a number such as 50.00")

// parseAmount reads an amount as people type it: 249, 249.00, 249,00, $1,249.00. It
// guesses nothing: what could be two amounts is none.
func parseAmount(text, currency string) (minor int64, ok bool) {
	decimals := money.Decimals(strings.ToUpper(currency))
	text = strings.Trim(strings.ReplaceAll(text, " ", ""), "$€£¥₹₩")
	whole, fraction := text, ""
	if at := strings.LastIndexAny(text, ".,"); at >= 0 && len(text)-at-1 == decimals {
		whole, fraction = text[:at], text[at+1:]
	}
	groups := strings.FieldsFunc(whole, func(r rune) bool { return r == ',' || r == '.' })
	for i, g := range groups {
		if i > 0 && len(g) != 3 || i == 0 && len(groups) > 1 && len(g) > 3 {
			return 0, false
		}
	}
	digits := strings.Join(groups, "") + fraction + strings.Repeat("0", decimals-len(fraction))
	minor, err := strconv.ParseInt(digits, 10, 64)
	return minor, err == nil && minor >= 0 && len(groups) > 0
}
