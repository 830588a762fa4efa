package stripesim

import (
	"crypto/subtle"
	"net/http"
	"slices"
)

var keyPrefixes = map[string]caller{
	"sk_live_": {live: true},
	"sk_test_": {},
	"pk_live_": {live: true, publishable: true},
	"pk_test_": {publishable: true},
}

// publishableRoutes are what a publishable key may call; those on an existing
// object also need its client secret.
var publishableRoutes = []string{
	"GET /v1/payment_intents/{id}",
	"POST /v1/payment_intents/{id}/confirm",
	"POST /v1/payment_methods",
}

// browserParams are what Stripe.js adds of its own.
var browserParams = []string{"key", "expected_payment_method_type", "payment_user_agent", "referrer", "time_on_page", "guid", "muid", "sid", "client_attribution_metadata", "allow_redisplay"}

func (who caller) mayCall(rt route) *Error {
	if !who.publishable || slices.Contains(publishableRoutes, rt.pattern) {
		return nil
	}
	return &Error{status: http.StatusUnauthorized, Type: typeInvalidRequest, unstored: true,
		Message: "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys."}
}

// checkSecret lets a browser reach only the payment intent whose secret it has.
func (c *call) checkSecret(pi *PaymentIntent) *Error {
	if !c.publishable {
		return nil
	}
	given := c.params.text("client_secret")
	if given == "" {
		return errParam("parameter_missing", "client_secret", "Missing required param: client_secret.")
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(pi.ClientSecret)) != 1 {
		return errParam("payment_intent_invalid_parameter", "client_secret", "The client_secret provided does not match the client_secret associated with the PaymentIntent.")
	}
	return nil
}

// shownFields of a payment intent are all that a publishable key sees.
var shownFields = []string{"id", "object", "amount", "amount_details", "automatic_payment_methods", "canceled_at", "cancellation_reason",
	"capture_method", "client_secret", "confirmation_method", "created", "currency", "description", "last_payment_error", "livemode",
	"next_action", "payment_method", "payment_method_configuration_details", "payment_method_types", "processing", "receipt_email",
	"setup_future_usage", "shipping", "source", "status"}

// shown reduces a payment intent to what a publishable key sees; other objects
// stay as they are.
func shown(v any) (any, error) {
	tree, err := toTree(v)
	if err != nil {
		return nil, err
	}
	whole, ok := tree.(map[string]any)
	if !ok || whole["object"] != "payment_intent" {
		return tree, nil
	}
	out := map[string]any{}
	for _, f := range shownFields {
		out[f] = whole[f]
	}
	return out, nil
}

// shownError hides from a browser what the payment intent inside an error would
// tell it.
func (c *call) shownError(e *Error) any {
	if !c.publishable || e.PaymentIntent == nil {
		return e
	}
	tree, err := toTree(e)
	if err != nil {
		return e
	}
	fields := tree.(map[string]any)
	if fields["payment_intent"], err = shown(e.PaymentIntent); err != nil {
		delete(fields, "payment_intent")
	}
	return fields
}

// allowBrowsers lets pages of any origin call, as Stripe does.
func allowBrowsers(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, PUT, PATCH, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Stripe-Version")
	h.Set("Access-Control-Expose-Headers", "Request-Id, Stripe-Version")
	h.Set("Access-Control-Max-Age", "300")
}
