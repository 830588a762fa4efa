package console

import (
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/money"
)

var errAmount = apperr.New(codes.InvalidArgument, "INVALID_ARGUMENT", "the amount is not a number such as 50.00, or it could be two: write it without marks between thousands, with a point before the decimals")

// parseAmount reads an amount as people type it: 249, 249.00, 249,00, $1,249.00. It
// guesses nothing: what could be two amounts is none. One point is the point that we
// write ourselves; where a comma alone stands before three decimals it may as well
// part thousands, and one sign cannot do both.
func parseAmount(text, currency string) (minor int64, ok bool) {
	currency = strings.ToUpper(currency)
	decimals := money.Decimals(currency)
	text = strings.ToUpper(strings.Join(strings.Fields(text), ""))
	text = strings.Trim(strings.TrimPrefix(text, currency), "$€£¥₹₩")
	whole, fraction, mark := text, "", ""
	if at := strings.LastIndexAny(text, ".,"); decimals > 0 && at >= 0 && len(text)-at-1 == decimals {
		whole, fraction, mark = text[:at], text[at+1:], text[at:at+1]
	}
	grouped := strings.IndexAny(whole, ".,")
	switch {
	case grouped >= 0 && whole[grouped:grouped+1] == mark, mark == "," && decimals == 3 && grouped < 0:
		return 0, false
	case grouped >= 0:
		groups := strings.Split(whole, whole[grouped:grouped+1])
		for i, g := range groups {
			if i > 0 && len(g) != 3 || i == 0 && (g == "" || len(g) > 3) {
				return 0, false
			}
		}
		whole = strings.Join(groups, "")
	case whole == "":
		return 0, false
	}
	digits := whole + fraction + strings.Repeat("0", decimals-len(fraction))
	if strings.Trim(digits, "0123456789") != "" { // a second sign, too
		return 0, false
	}
	minor, err := strconv.ParseInt(digits, 10, 64)
	return minor, err == nil
}
