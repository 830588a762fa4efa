package stripesim_test

import (
	"slices"
	"testing"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

func TestPurchase(t *testing.T) {
	s := start(t, stripesim.Config{})
	cus := must[*stripe.Customer](t)(s.stripe.Customers.New(&stripe.CustomerParams{
		Email: stripe.String("jane@example.com"), Name: stripe.String("Jane Doe")}))
	pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(24900, cus.ID)))
	if pi.Status != stripe.PaymentIntentStatusRequiresPaymentMethod || pi.ClientSecret == "" || pi.Livemode {
		t.Fatalf("new intent: %+v", pi)
	}
	p := confirmWith("pm_card_visa")
	p.AddExpand("latest_charge")
	p.AddExpand("customer")
	p.ReceiptEmail = stripe.String("jane@example.com")
	pi = must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Confirm(pi.ID, p))
	ch := pi.LatestCharge
	if pi.Status != stripe.PaymentIntentStatusSucceeded || pi.AmountReceived != 24900 || pi.Customer.Email != "jane@example.com" {
		t.Fatalf("confirmed intent: %+v", pi)
	}
	if !ch.Paid || !ch.Captured || ch.Amount != 24900 || ch.Metadata["order_id"] != "0193-example" ||
		ch.PaymentMethodDetails.Card.Last4 != "4242" || ch.ReceiptEmail != "jane@example.com" || ch.PaymentIntent.ID != pi.ID {
		t.Fatalf("charge: %+v", ch)
	}
	if pi.LastResponse.RequestID == "" {
		t.Error("no Request-Id")
	}
	want := []string{"customer.created", "payment_intent.created", "charge.succeeded", "payment_intent.succeeded"}
	if got := eventTypes(s.state()); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}

	_, err := s.stripe.PaymentIntents.Confirm(pi.ID, confirmWith("pm_card_visa"))
	if e := wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentUnexpectedState); e.PaymentIntent.Status != stripe.PaymentIntentStatusSucceeded {
		t.Errorf("error does not show the intent: %+v", e.PaymentIntent)
	}
	_, err = s.stripe.PaymentIntents.Cancel(pi.ID, nil)
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentUnexpectedState)
}

func TestDeclineThenAnotherCard(t *testing.T) {
	for _, c := range []struct {
		pm          string
		code        stripe.ErrorCode
		declineCode stripe.DeclineCode
	}{
		{"pm_card_chargeDeclined", "card_declined", "generic_decline"},
		{"pm_card_visa_chargeDeclined", "card_declined", "generic_decline"},
		{"pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"},
		{"pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"},
		{"pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"},
		{"pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card"},
		{"pm_card_chargeDeclinedExpiredCard", "expired_card", ""},
		{"pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", ""},
		{"pm_card_chargeDeclinedProcessingError", "processing_error", ""},
	} {
		t.Run(c.pm, func(t *testing.T) {
			s := start(t, stripesim.Config{})
			pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(24900, "")))
			_, err := s.stripe.PaymentIntents.Confirm(pi.ID, confirmWith(c.pm))
			e := wantError(t, err, 402, stripe.ErrorTypeCard, c.code)
			if e.DeclineCode != c.declineCode || e.PaymentIntent.ID != pi.ID || e.ChargeID == "" || e.Msg == "" {
				t.Fatalf("card error: %+v", e)
			}
			pi = must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Get(pi.ID, nil))
			if pi.Status != stripe.PaymentIntentStatusRequiresPaymentMethod || pi.PaymentMethod != nil ||
				pi.LastPaymentError.Code != c.code || pi.LatestCharge.ID != e.ChargeID {
				t.Fatalf("declined intent: %+v", pi)
			}
			ch := must[*stripe.Charge](t)(s.stripe.Charges.Get(e.ChargeID, nil))
			if ch.Paid || ch.Status != stripe.ChargeStatusFailed || ch.FailureCode != string(c.code) {
				t.Fatalf("declined charge: %+v", ch)
			}
			_, err = s.stripe.PaymentIntents.Confirm(pi.ID, nil)
			wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentUnexpectedState)
			pi = must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Confirm(pi.ID, confirmWith("pm_card_mastercard")))
			if pi.Status != stripe.PaymentIntentStatusSucceeded || pi.LastPaymentError != nil {
				t.Fatalf("second card: %+v", pi)
			}
			want := []string{"payment_intent.created", "charge.failed", "payment_intent.payment_failed", "charge.succeeded", "payment_intent.succeeded"}
			if got := eventTypes(s.state()); !slices.Equal(got, want) {
				t.Errorf("events %v, want %v", got, want)
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	s := start(t, stripesim.Config{})
	open := func(returnURL string) *stripe.PaymentIntent {
		p := confirmWith("pm_card_authenticationRequired")
		if returnURL != "" {
			p.ReturnURL = stripe.String(returnURL)
		}
		pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(24900, "")))
		pi = must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Confirm(pi.ID, p))
		if pi.Status != stripe.PaymentIntentStatusRequiresAction || pi.LatestCharge != nil {
			t.Fatalf("intent: %+v", pi)
		}
		return pi
	}
	outcome := func(pi *stripe.PaymentIntent, o string) *stripe.PaymentIntent {
		s.control("POST", "payment_intents/"+pi.ID+"/authenticate", map[string]string{"outcome": o}, nil)
		return must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Get(pi.ID, nil))
	}

	pi := open("https://shop.example.com/back")
	if pi.NextAction.Type != stripe.PaymentIntentNextActionTypeRedirectToURL || pi.NextAction.RedirectToURL.ReturnURL != "https://shop.example.com/back" {
		t.Fatalf("next action: %+v", pi.NextAction)
	}
	if pi = outcome(pi, "success"); pi.Status != stripe.PaymentIntentStatusSucceeded || pi.NextAction != nil {
		t.Fatalf("authenticated: %+v", pi)
	}

	pi = open("")
	if pi.NextAction.Type != stripe.PaymentIntentNextActionTypeUseStripeSDK {
		t.Fatalf("next action: %+v", pi.NextAction)
	}
	pi = outcome(pi, "fail")
	if pi.Status != stripe.PaymentIntentStatusRequiresPaymentMethod || pi.LatestCharge != nil ||
		pi.LastPaymentError.Code != stripe.ErrorCodePaymentIntentAuthenticationFailure {
		t.Fatalf("failed authentication: %+v", pi)
	}

	pi = open("") // the tab stays open, and another card pays
	pi = must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Confirm(pi.ID, confirmWith("pm_card_visa")))
	if pi.Status != stripe.PaymentIntentStatusSucceeded || pi.NextAction != nil {
		t.Fatalf("other card: %+v", pi)
	}

	pi = open("")
	pi = must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Cancel(pi.ID, &stripe.PaymentIntentCancelParams{CancellationReason: stripe.String("abandoned")}))
	if pi.Status != stripe.PaymentIntentStatusCanceled || pi.CanceledAt == 0 || pi.CancellationReason != "abandoned" {
		t.Fatalf("canceled: %+v", pi)
	}
	_, err := s.stripe.PaymentIntents.Confirm(pi.ID, confirmWith("pm_card_visa"))
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentUnexpectedState)

	pi = must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(24900, "")))
	p := confirmWith("pm_card_authenticationRequired")
	p.OffSession = stripe.Bool(true)
	_, err = s.stripe.PaymentIntents.Confirm(pi.ID, p)
	wantError(t, err, 402, stripe.ErrorTypeCard, stripe.ErrorCodeAuthenticationRequired)
}

func TestCreateAndConfirmAtOnce(t *testing.T) {
	s := start(t, stripesim.Config{})
	p := intent(500, "")
	p.Confirm, p.PaymentMethod = stripe.Bool(true), stripe.String("pm_card_visa")
	if pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(p)); pi.Status != stripe.PaymentIntentStatusSucceeded {
		t.Fatalf("%+v", pi)
	}
	p = &stripe.PaymentIntentParams{Amount: stripe.Int64(500), Currency: stripe.String("usd"),
		Confirm: stripe.Bool(true), PaymentMethod: stripe.String("pm_card_visa")}
	_, err := s.stripe.PaymentIntents.New(p) // may redirect, so Stripe wants to know where to
	if e := wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, ""); e.Param != "return_url" {
		t.Errorf("%+v", e)
	}
}

func TestRefunds(t *testing.T) {
	s := start(t, stripesim.Config{})
	p := intent(24900, "")
	p.Confirm, p.PaymentMethod = stripe.Bool(true), stripe.String("pm_card_visa")
	pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(p))
	re := must[*stripe.Refund](t)(s.stripe.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(900)}))
	if re.Status != stripe.RefundStatusSucceeded || re.Amount != 900 || re.Charge.ID != pi.LatestCharge.ID {
		t.Fatalf("%+v", re)
	}
	_, err := s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(pi.LatestCharge.ID), Amount: stripe.Int64(24001)})
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, "")
	must[*stripe.Refund](t)(s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(pi.LatestCharge.ID)}))
	_, err = s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(pi.LatestCharge.ID)})
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeChargeAlreadyRefunded)
	get := &stripe.ChargeParams{}
	get.AddExpand("refunds")
	ch := must[*stripe.Charge](t)(s.stripe.Charges.Get(pi.LatestCharge.ID, get))
	if !ch.Refunded || ch.AmountRefunded != 24900 || len(ch.Refunds.Data) != 2 || ch.Refunds.Data[0].Amount != 24000 {
		t.Fatalf("%+v", ch)
	}
}

func TestRequestsThatStripeRefuses(t *testing.T) {
	s := start(t, stripesim.Config{})
	for name, c := range map[string]struct {
		change func(*stripe.PaymentIntentParams)
		code   stripe.ErrorCode
		param  string
	}{
		"no amount":           {func(p *stripe.PaymentIntentParams) { p.Amount = nil }, "parameter_missing", "amount"},
		"zero amount":         {func(p *stripe.PaymentIntentParams) { p.Amount = stripe.Int64(0) }, "parameter_invalid_integer", "amount"},
		"upper-case currency": {func(p *stripe.PaymentIntentParams) { p.Currency = stripe.String("USD") }, "", "currency"},
		"unknown customer":    {func(p *stripe.PaymentIntentParams) { p.Customer = stripe.String("cus_none") }, "resource_missing", "customer"},
		"unknown card":        {func(p *stripe.PaymentIntentParams) { p.PaymentMethod = stripe.String("pm_none") }, "resource_missing", "payment_method"},
		"unknown parameter":   {func(p *stripe.PaymentIntentParams) { p.AddExtra("colour", "red") }, "parameter_unknown", "colour"},
		"unknown expansion":   {func(p *stripe.PaymentIntentParams) { p.AddExpand("colour") }, "", "expand"},
	} {
		p := intent(100, "")
		c.change(p)
		_, err := s.stripe.PaymentIntents.New(p)
		if e := wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, c.code); e.Param != c.param {
			t.Errorf("%s: param %q", name, e.Param)
		}
	}
	if n := len(s.state().PaymentIntents); n != 0 {
		t.Errorf("%d intents were made", n)
	}
	_, err := s.stripe.PaymentIntents.Get("pi_none", nil)
	wantError(t, err, 404, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeResourceMissing)
	_, err = s.client("pk_test_makegood").Customers.New(nil)
	wantError(t, err, 401, stripe.ErrorTypeInvalidRequest, "")
}

func TestModesDoNotMeet(t *testing.T) {
	s := start(t, stripesim.Config{})
	live := s.client("sk_live_makegood")
	cus := must[*stripe.Customer](t)(live.Customers.New(&stripe.CustomerParams{Email: stripe.String("jane@example.com")}))
	if !cus.Livemode {
		t.Error("not live")
	}
	_, err := s.stripe.Customers.Get(cus.ID, nil)
	wantError(t, err, 404, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeResourceMissing)
	if it := s.stripe.Customers.List(&stripe.CustomerListParams{}); it.Next() {
		t.Error("a live customer in a test list")
	}
	if it := live.Events.List(&stripe.EventListParams{}); !it.Next() || !it.Event().Livemode {
		t.Error("no live event")
	}
}
