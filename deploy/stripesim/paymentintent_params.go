package stripesim

import (
	"slices"
	"strings"
)

// newIntent takes cards and bank accounts and waits for one.
func (t *tx) newIntent(amount int64, currency string, customer NullString) *PaymentIntent {
	pi := &PaymentIntent{
		Header:               t.header("pi_", "payment_intent", 24),
		Amount:               amount,
		AmountDetails:        map[string]any{"tip": map[string]any{}},
		CaptureMethod:        "automatic",
		ConfirmationMethod:   "automatic",
		Currency:             currency,
		Customer:             customer,
		Livemode:             t.w.live,
		Metadata:             map[string]string{},
		PaymentMethodOptions: map[string]any{"card": map[string]any{"installments": nil, "mandate_options": nil, "network": nil, "request_three_d_secure": "automatic"}},
		PaymentMethodTypes:   []string{"card", "us_bank_account"},
		Status:               requiresPaymentMethod,
	}
	pi.ClientSecret = pi.ID + newID("_secret_", 25)
	return pi
}

func readPaymentMethodTypes(p *params, pi *PaymentIntent) {
	pi.PaymentMethodTypes = []string{"card", "us_bank_account"}
	auto := p.sub("automatic_payment_methods")
	switch {
	case p.has("payment_method_types"):
		pi.PaymentMethodTypes = p.texts("payment_method_types")
		if auto.boolean("enabled") {
			p.fail("", "payment_method_types", "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.")
		}
		if len(pi.PaymentMethodTypes) == 0 || slices.ContainsFunc(pi.PaymentMethodTypes, func(t string) bool { return t != "card" && t != "us_bank_account" }) {
			p.fail("", "payment_method_types", "The simulator takes only card and us_bank_account.")
		}
	case auto.tree != nil && !auto.boolean("enabled"):
	default: // since 2023-08-16 this is what an intent gets that says nothing
		pi.AutomaticPaymentMethods = &automaticPaymentMethods{AllowRedirects: "always", Enabled: true}
		if r := auto.oneOf("allow_redirects", "always", "never"); r != "" {
			pi.AutomaticPaymentMethods.AllowRedirects = r
		}
	}
	if auto.err != nil && p.err == nil {
		p.err = auto.err
	}
}

// readPaymentIntent reads what both create and update accept into pi, and finds
// the payment method.
func (c *call) readPaymentIntent(pi *PaymentIntent) (*PaymentMethod, *Error) {
	p := c.params
	if p.has("amount") {
		pi.Amount = p.integer("amount")
		if pi.Amount <= 0 || pi.Amount > 99999999 {
			p.fail("parameter_invalid_integer", "amount", "This value must be between 1 and 99999999.")
		}
	}
	if p.has("currency") {
		pi.Currency = p.text("currency")
		if !isCurrency(pi.Currency) {
			p.fail("", "currency", "Invalid currency: %s.", pi.Currency)
		}
	}
	p.setText("description", &pi.Description)
	p.setText("receipt_email", &pi.ReceiptEmail)
	p.setText("statement_descriptor", &pi.StatementDescriptor)
	p.setText("statement_descriptor_suffix", &pi.StatementSuffix)
	p.setText("transfer_group", &pi.TransferGroup)
	p.metadata(pi.Metadata)
	if p.has("setup_future_usage") {
		pi.SetupFutureUsage = NullString(p.oneOf("setup_future_usage", "on_session", "off_session"))
	}
	p.ignore("payment_method_options", "shipping", "radar_options")
	if p.has("customer") {
		cus, err := c.customerParam()
		if err != nil {
			return nil, err
		}
		pi.Customer = cus
	}
	pm, err := c.paymentMethodParam()
	if err != nil || pm == nil {
		return nil, err
	}
	if pm.Customer != "" && pm.Customer != pi.Customer {
		return nil, errState("", "payment_method", "The PaymentMethod %s belongs to another customer. Include it in the `customer` parameter on the PaymentIntent.", pm.ID)
	}
	return pm, nil
}

// takes refuses a payment method of a type that the intent does not allow.
func takes(pi *PaymentIntent, pm *PaymentMethod) *Error {
	if pm == nil || slices.Contains(pi.PaymentMethodTypes, pm.Type) {
		return nil
	}
	return errState("payment_intent_incompatible_payment_method", "payment_method", "The PaymentMethod provided (%s) is not allowed for this PaymentIntent. Please attach a payment method of one of the following types: %s.", pm.Type, strings.Join(pi.PaymentMethodTypes, ", "))
}

func isCurrency(s string) bool {
	return len(s) == 3 && !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < 'a' || b > 'z' })
}
