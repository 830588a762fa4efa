package stripesim

import "net/http"

// PaymentIntent is Stripe's payment intent.
type PaymentIntent struct {
	Header
	Amount                  int64                    `json:"amount"` // minor units
	AmountCapturable        int64                    `json:"amount_capturable"`
	AmountDetails           any                      `json:"amount_details"`
	AmountReceived          int64                    `json:"amount_received"`
	Application             any                      `json:"application"`
	ApplicationFeeAmount    any                      `json:"application_fee_amount"`
	AutomaticPaymentMethods *automaticPaymentMethods `json:"automatic_payment_methods"`
	CanceledAt              *int64                   `json:"canceled_at"`
	CancellationReason      NullString               `json:"cancellation_reason"`
	CaptureMethod           string                   `json:"capture_method"`
	ClientSecret            string                   `json:"client_secret"`
	ConfirmationMethod      string                   `json:"confirmation_method"`
	Currency                string                   `json:"currency"`
	Customer                NullString               `json:"customer"`
	Description             NullString               `json:"description"`
	Invoice                 NullString               `json:"invoice"`
	LastPaymentError        *Error                   `json:"last_payment_error"`
	LatestCharge            NullString               `json:"latest_charge"`
	Livemode                bool                     `json:"livemode"`
	Metadata                map[string]string        `json:"metadata"`
	NextAction              *nextAction              `json:"next_action"`
	OnBehalfOf              NullString               `json:"on_behalf_of"`
	PaymentMethod           NullString               `json:"payment_method"`
	PaymentMethodConfig     any                      `json:"payment_method_configuration_details"`
	PaymentMethodOptions    any                      `json:"payment_method_options"`
	PaymentMethodTypes      []string                 `json:"payment_method_types"`
	Processing              any                      `json:"processing"`
	ReceiptEmail            NullString               `json:"receipt_email"`
	Review                  NullString               `json:"review"`
	SetupFutureUsage        NullString               `json:"setup_future_usage"`
	Shipping                any                      `json:"shipping"`
	StatementDescriptor     NullString               `json:"statement_descriptor"`
	StatementSuffix         NullString               `json:"statement_descriptor_suffix"`
	Status                  string                   `json:"status"`
	TransferData            any                      `json:"transfer_data"`
	TransferGroup           NullString               `json:"transfer_group"`
}

type automaticPaymentMethods struct {
	AllowRedirects string `json:"allow_redirects"`
	Enabled        bool   `json:"enabled"`
}

type nextAction struct {
	Type          string         `json:"type"`
	RedirectToURL *redirectToURL `json:"redirect_to_url,omitempty"`
	UseStripeSDK  map[string]any `json:"use_stripe_sdk,omitempty"`
}

type redirectToURL struct {
	ReturnURL string `json:"return_url"`
	URL       string `json:"url"`
}

// The states of a payment intent.
const (
	requiresPaymentMethod = "requires_payment_method"
	requiresConfirmation  = "requires_confirmation"
	requiresAction        = "requires_action"
	processing            = "processing"
	succeeded             = "succeeded"
	canceled              = "canceled"
)

func createPaymentIntent(c *call) (any, *Error) {
	p := c.params
	p.required("amount", "currency")
	pi := c.newIntent(0, "", "")
	p.oneOf("capture_method", "automatic", "automatic_async")
	p.oneOf("confirmation_method", "automatic")
	pm, err := c.readPaymentIntent(pi)
	if err != nil {
		return nil, err
	}
	readPaymentMethodTypes(p, pi)
	confirm := p.boolean("confirm")
	var how confirmation
	if confirm {
		how = readConfirmation(c)
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	if err := takes(pi, pm); err != nil {
		return nil, err
	}
	if confirm {
		if err := how.check(pi, pm); err != nil {
			err.PaymentIntent = nil // it was not created
			return nil, err
		}
	}
	c.usePaymentMethod(pi, pm)
	save(c.tx, c.w.paymentIntents, pi)
	c.emit("payment_intent.created", pi, nil)
	if confirm {
		return c.confirm(pi, how)
	}
	return pi, nil
}

// usePaymentMethod puts a payment method on an intent that can still take one.
func (c *call) usePaymentMethod(pi *PaymentIntent, pm *PaymentMethod) {
	if pm == nil {
		return
	}
	save(c.tx, c.w.paymentMethods, pm)
	pi.PaymentMethod = NullString(pm.ID)
	pi.Status = requiresConfirmation
	pi.NextAction = nil
}

func (c *call) paymentIntentByPath() (*PaymentIntent, *Error) {
	id := c.r.PathValue("id")
	pi, ok := c.w.paymentIntents.get(id)
	if !ok {
		return nil, c.missing(http.StatusNotFound, "payment_intent", id, "intent")
	}
	return pi, nil
}

func retrievePaymentIntent(c *call) (any, *Error) {
	pi, err := c.paymentIntentByPath()
	if err == nil {
		err = c.checkSecret(pi)
	}
	c.params.ignore("client_secret")
	if err == nil {
		err = c.params.finish()
	}
	if err != nil {
		return nil, err
	}
	return pi, nil
}

func updatePaymentIntent(c *call) (any, *Error) {
	pi, err := c.paymentIntentByPath()
	if err != nil {
		return nil, err
	}
	next := *pi
	next.Metadata = cloneMetadata(pi.Metadata)
	pm, err := c.readPaymentIntent(&next)
	if err == nil {
		err = c.params.finish()
	}
	if err == nil {
		err = takes(pi, pm)
	}
	if err != nil {
		return nil, err
	}
	open := pi.Status == requiresPaymentMethod || pi.Status == requiresConfirmation || pi.Status == requiresAction
	if !open && (pm != nil || next.Amount != pi.Amount || next.Currency != pi.Currency || next.Customer != pi.Customer) {
		return nil, unexpectedState(pi, "This PaymentIntent's amount, currency, customer and payment method could not be updated because it has a status of %s. You may only update these of a PaymentIntent with one of the following statuses: requires_payment_method, requires_confirmation, requires_action.", pi.Status)
	}
	*pi = next
	c.usePaymentMethod(pi, pm)
	save(c.tx, c.w.paymentIntents, pi)
	return pi, nil
}

func cancelPaymentIntent(c *call) (any, *Error) {
	pi, err := c.paymentIntentByPath()
	if err != nil {
		return nil, err
	}
	reason := c.params.oneOf("cancellation_reason", "duplicate", "fraudulent", "requested_by_customer", "abandoned")
	if err := c.params.finish(); err != nil {
		return nil, err
	}
	if pi.Status == succeeded || pi.Status == canceled || pi.Status == processing {
		return nil, unexpectedState(pi, "You cannot cancel this PaymentIntent because it has a status of %s. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action.", pi.Status)
	}
	if cs := c.w.sessionOf(pi); cs != nil && cs.Status == "open" {
		return nil, unexpectedState(pi, "You cannot cancel a PaymentIntent created by Checkout. You may consider expiring the Checkout Session instead: %s.", cs.ID)
	}
	if inv, ok := c.w.invoices.get(string(pi.Invoice)); ok && inv.Status == "open" {
		return nil, unexpectedState(pi, "You cannot cancel a PaymentIntent created by an invoice. You may consider voiding the invoice instead: %s.", inv.ID)
	}
	c.cancelIntent(pi, NullString(reason))
	return pi, nil
}

func (t *tx) cancelIntent(pi *PaymentIntent, reason NullString) {
	at := t.now.Unix()
	pi.Status, pi.CanceledAt, pi.CancellationReason, pi.NextAction = canceled, &at, reason, nil
	save(t, t.w.paymentIntents, pi)
	t.emit("payment_intent.canceled", pi, nil)
}

func unexpectedState(pi *PaymentIntent, format string, args ...any) *Error {
	e := errState("payment_intent_unexpected_state", "", format, args...)
	e.PaymentIntent = pi
	e.DocURL = "https://stripe.com/docs/error-codes/payment-intent-unexpected-state"
	return e
}

func listPaymentIntents(c *call) (any, *Error) {
	customer := c.params.text("customer")
	return listBy(c, c.w.paymentIntents, []filter[*PaymentIntent]{
		{"customer", func(pi *PaymentIntent) string { return string(pi.Customer) }, customer},
	}, nil)
}
