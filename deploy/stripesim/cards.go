package stripesim

import (
	"net/http"
	"strings"
	"time"
)

// card is a payment method's card.
type card struct {
	Brand       string         `json:"brand"`
	Checks      map[string]any `json:"checks"`
	Country     string         `json:"country"`
	ExpMonth    int            `json:"exp_month"`
	ExpYear     int            `json:"exp_year"`
	Fingerprint string         `json:"fingerprint"`
	Funding     string         `json:"funding"`
	Generated   any            `json:"generated_from"`
	Last4       string         `json:"last4"`
	Networks    any            `json:"networks"`
	Usage       any            `json:"three_d_secure_usage"`
	Wallet      any            `json:"wallet"`
}

// usedCard is the card as a charge remembers it.
type usedCard struct {
	AmountAuthorized int64          `json:"amount_authorized"` // minor units
	Brand            string         `json:"brand"`
	Checks           map[string]any `json:"checks"`
	Country          string         `json:"country"`
	ExpMonth         int            `json:"exp_month"`
	ExpYear          int            `json:"exp_year"`
	Fingerprint      string         `json:"fingerprint"`
	Funding          string         `json:"funding"`
	Installments     any            `json:"installments"`
	Last4            string         `json:"last4"`
	Mandate          NullString     `json:"mandate"`
	Network          string         `json:"network"`
	NetworkToken     map[string]any `json:"network_token"`
	ThreeDSecure     map[string]any `json:"three_d_secure"`
	Wallet           any            `json:"wallet"`
}

// used copies the card for a charge of the given amount.
func (c *card) used(amount int64) *usedCard {
	return &usedCard{
		AmountAuthorized: amount,
		Brand:            c.Brand,
		Checks:           c.Checks,
		Country:          c.Country,
		ExpMonth:         c.ExpMonth,
		ExpYear:          c.ExpYear,
		Fingerprint:      c.Fingerprint,
		Funding:          c.Funding,
		Last4:            c.Last4,
		Network:          c.Brand,
		NetworkToken:     map[string]any{"used": false},
	}
}

// decline is the issuer's no.
type decline struct{ code, declineCode, message string }

func (d decline) asError() *Error {
	return &Error{
		status: http.StatusPaymentRequired, Type: typeCard, Code: d.code, DeclineCode: d.declineCode, Message: d.message,
		DocURL: "https://stripe.com/docs/error-codes/" + strings.ReplaceAll(d.code, "_", "-"),
	}
}

// testMethod is one of Stripe's test cards or bank accounts. As at Stripe, the
// number alone decides how it behaves; the last four digits are unique.
type testMethod struct {
	brand, number string
	authenticate  bool    // asks for 3-D Secure before it pays
	onlyUnsaved   bool    // asks only until it was saved to a customer
	decline       decline // zero: pays
	failsOnAttach bool
	refund        string // pending or failed: what becomes of its refunds
	async         bool   // answers days later
	never         bool   // does not even then
}

// asks reports whether 3-D Secure comes before the payment.
func (m testMethod) asks(pm *PaymentMethod) bool {
	return m.authenticate && (!m.onlyUnsaved || pm.Customer == "")
}

// testCards by the name that follows pm_card_ (and tok_).
var testCards = map[string]testMethod{
	"visa":                          {brand: "visa", number: "4242424242424242"},
	"mastercard":                    {brand: "mastercard", number: "5555555555554444"},
	"amex":                          {brand: "amex", number: "378282246310005"},
	"authenticationRequired":        {brand: "visa", number: "4000002760003184", authenticate: true},
	"authenticationRequiredOnSetup": {brand: "visa", number: "4000002500003155", authenticate: true, onlyUnsaved: true},
	"pendingRefund":                 {brand: "visa", number: "4000000000007726", refund: refundPending},
	"refundFail":                    {brand: "visa", number: "4000000000005126", refund: refundFailed},
	"threeDSecure2Required":         {brand: "visa", number: "4000000000003220", authenticate: true},
	"threeDSecureRequired":          {brand: "visa", number: "4000000000003063", authenticate: true},
	"chargeCustomerFail":            {brand: "visa", number: "4000000000000341", decline: declined("generic_decline")},
	"chargeDeclined":                {brand: "visa", number: "4000000000000002", decline: declined("generic_decline"), failsOnAttach: true},
	"chargeDeclinedFraudulent":      {brand: "visa", number: "4100000000000019", decline: declined("fraudulent")},
	"chargeDeclinedLostCard":        {brand: "visa", number: "4000000000009987", decline: declined("lost_card"), failsOnAttach: true},
	"chargeDeclinedStolenCard":      {brand: "visa", number: "4000000000009979", decline: declined("stolen_card"), failsOnAttach: true},
	"chargeDeclinedInsufficientFunds": {brand: "visa", number: "4000000000009995", failsOnAttach: true,
		decline: decline{"card_declined", "insufficient_funds", "Your card has insufficient funds."}},
	"chargeDeclinedExpiredCard": {brand: "visa", number: "4000000000000069", failsOnAttach: true,
		decline: decline{"expired_card", "", "Your card has expired."}},
	"chargeDeclinedIncorrectCvc": {brand: "visa", number: "4000000000000127", failsOnAttach: true,
		decline: decline{"incorrect_cvc", "", "Your card's security code is incorrect."}},
	"chargeDeclinedProcessingError": {brand: "visa", number: "4000000000000119", failsOnAttach: true,
		decline: decline{"processing_error", "", "An error occurred while processing your card. Try again in a little bit."}},
	"authenticationRequiredChargeDeclinedInsufficientFunds": {brand: "visa", number: "4000008260003178", authenticate: true,
		decline: decline{"card_declined", "insufficient_funds", "Your card has insufficient funds."}},
}

// methodAliases are other names of the same methods.
var methodAliases = map[string]string{
	"visa_debit":                           "visa",
	"async_success":                        "success",
	"async_failure":                        "failure",
	"async_processing":                     "processing",
	"us":                                   "visa",
	"visa_chargeDeclined":                  "chargeDeclined",
	"visa_chargeDeclinedInsufficientFunds": "chargeDeclinedInsufficientFunds",
	"visa_chargeDeclinedLostCard":          "chargeDeclinedLostCard",
	"visa_chargeDeclinedStolenCard":        "chargeDeclinedStolenCard",
}

// testMethodByID finds what a test id such as pm_card_visa stands for.
func testMethodByID(id string) (testMethod, bool) {
	for prefix, methods := range map[string]map[string]testMethod{"pm_card_": testCards, "pm_usBankAccount_": testBanks, "pm_sim_": testBanks} {
		if m, ok := named(methods, prefix, id); ok {
			return m, true
		}
	}
	return testMethod{}, false
}

// named finds a method by what follows the prefix of its id: pm_card_visa or
// tok_visa.
func named(methods map[string]testMethod, prefix, id string) (testMethod, bool) {
	name, ok := strings.CutPrefix(id, prefix)
	if !ok {
		return testMethod{}, false
	}
	if alias, ok := methodAliases[name]; ok {
		name = alias
	}
	m, ok := methods[name]
	return m, ok
}

func testMethodByLast4(methods map[string]testMethod, last4 string) testMethod {
	for _, m := range methods {
		if m.last4() == last4 {
			return m
		}
	}
	return testMethod{}
}

func (m testMethod) last4() string { return m.number[len(m.number)-4:] }

var authenticationRequired = decline{"authentication_required", "authentication_required",
	"Your card was declined. This transaction requires authentication."}

func declined(code string) decline {
	return decline{"card_declined", code, "Your card was declined."}
}

func (m testMethod) card(now time.Time) *card {
	last4 := m.last4()
	return &card{
		Brand:       m.brand,
		Checks:      map[string]any{"address_line1_check": nil, "address_postal_code_check": nil, "cvc_check": "pass"},
		Country:     "US",
		ExpMonth:    12,
		ExpYear:     now.Year() + 3,
		Fingerprint: "Fingerprint" + last4,
		Funding:     "credit",
		Last4:       last4,
		Networks:    map[string]any{"available": []string{m.brand}, "preferred": nil},
		Usage:       map[string]any{"supported": true},
	}
}

func testCardByNumber(number string) (testMethod, bool) {
	for _, m := range testCards {
		if m.number == number {
			return m, true
		}
	}
	return testMethod{}, false
}
