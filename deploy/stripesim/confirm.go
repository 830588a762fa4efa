package stripesim

// confirmation is how a payment intent is to be confirmed.
type confirmation struct {
	returnURL     string
	useSDK        bool
	offSession    bool
	errorOnAction bool
	billing       bool           // for an invoice: off session, and the customer can be asked later
	automatic     bool           // nobody asked for this attempt
	authenticated bool           // the customer has just proved who they are
	method        *PaymentMethod // in place of the customer's own
}

func readConfirmation(c *call) confirmation {
	p := c.params
	how := confirmation{
		returnURL:     p.text("return_url"),
		useSDK:        p.boolean("use_stripe_sdk"),
		errorOnAction: p.boolean("error_on_requires_action"),
		// off_session is true, or the reason: recurring or one_off
		offSession: p.text("off_session") != "" && p.text("off_session") != "false",
	}
	p.ignore("mandate_data", "mandate", "client_secret")
	if c.publishable && how.offSession {
		p.fail("", "off_session", "This parameter cannot be used with a publishable key.")
	}
	return how
}

// check is what Stripe refuses before it executes a confirmation.
func (how confirmation) check(pi *PaymentIntent, pm *PaymentMethod) *Error {
	if auto := pi.AutomaticPaymentMethods; auto != nil && auto.AllowRedirects == "always" && how.returnURL == "" && !how.offSession {
		return errParam("", "return_url", "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.")
	}
	if pm == nil && pi.PaymentMethod == "" {
		return unexpectedState(pi, "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method.")
	}
	return nil
}

func confirmPaymentIntent(c *call) (any, *Error) {
	pi, err := c.paymentIntentByPath()
	if err == nil {
		err = c.checkSecret(pi)
	}
	if err != nil {
		return nil, err
	}
	next := *pi
	next.Metadata = cloneMetadata(pi.Metadata)
	pm, err := c.confirmParams(&next)
	if err != nil {
		return nil, err
	}
	how := readConfirmation(c)
	if err := c.params.finish(); err != nil {
		return nil, err
	}
	switch pi.Status {
	case succeeded:
		return nil, unexpectedState(pi, "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.")
	case canceled, processing:
		return nil, unexpectedState(pi, "You cannot confirm this PaymentIntent because it has a status of %s. Only a PaymentIntent with one of the following statuses may be confirmed: requires_payment_method, requires_confirmation, requires_action.", pi.Status)
	}
	if err := how.check(pi, pm); err != nil {
		return nil, err
	}
	if err := takes(pi, pm); err != nil {
		return nil, err
	}
	*pi = next
	c.usePaymentMethod(pi, pm)
	return c.confirm(pi, how)
}

// confirmParams reads the parameters that a confirm shares with an update.
func (c *call) confirmParams(pi *PaymentIntent) (*PaymentMethod, *Error) {
	p := c.params
	for _, fixed := range []string{"amount", "currency", "customer", "metadata", "description", "transfer_group"} {
		if _, sent := p.tree[fixed]; sent {
			return nil, errParam("parameter_unknown", fixed, "Received unknown parameter: %s", fixed)
		}
	}
	return c.readPaymentIntent(pi)
}

// confirm takes a payment intent that has a payment method to its next state.
func (t *tx) confirm(pi *PaymentIntent, how confirmation) (any, *Error) {
	save(t, t.w.paymentIntents, pi)
	pm, _ := t.w.paymentMethods.get(string(pi.PaymentMethod))
	m := pm.behaviour()
	switch {
	case m.async:
		t.process(pi, pm)
		return pi, nil
	case how.authenticated || !m.asks(pm):
		return t.settle(pi, pm, m.decline)
	case how.offSession || how.errorOnAction:
		return t.settle(pi, pm, authenticationRequired)
	}
	t.askForAuthentication(pi, how)
	return pi, nil
}

// settle makes the charge of a confirmed and, where needed, authenticated
// payment intent. A decline is an answer with an error, and yet a change.
func (t *tx) settle(pi *PaymentIntent, pm *PaymentMethod, d decline) (any, *Error) {
	authenticated := pi.NextAction != nil
	pi.NextAction = nil
	save(t, t.w.paymentIntents, pi)
	ch := t.newCharge(pi, pm)
	pi.LatestCharge = NullString(ch.ID)
	if d.code == "" {
		if authenticated {
			ch.PaymentMethodDetails.Card.ThreeDSecure = map[string]any{"authentication_flow": "challenge", "result": "authenticated", "result_reason": nil, "version": "2.2.0"}
		}
		t.succeed(pi, pm, ch)
		return pi, nil
	}
	failure := d.asError()
	t.failCharge(pi, pm, ch, d, failure)
	answer := *failure
	answer.PaymentIntent = pi
	return nil, &answer
}

// succeed ends a payment well, at once or days later.
func (t *tx) succeed(pi *PaymentIntent, pm *PaymentMethod, ch *Charge) {
	ch.succeed()
	t.bookCharge(ch)
	save(t, t.w.charges, ch)
	pi.Status, pi.AmountReceived, pi.LastPaymentError = succeeded, pi.Amount, nil
	save(t, t.w.paymentIntents, pi)
	t.keepMethod(pi, pm)
	t.emit("charge.succeeded", ch, nil)
	t.emit("payment_intent.succeeded", pi, nil)
	t.follow(pi)
}

// keepMethod attaches what is to be used again.
func (t *tx) keepMethod(pi *PaymentIntent, pm *PaymentMethod) {
	if pi.SetupFutureUsage != "" && pi.Customer != "" && pm.Customer == "" {
		pm.Customer = pi.Customer
		save(t, t.w.paymentMethods, pm)
		t.emit("payment_method.attached", pm, nil)
	}
}

// failCharge ends an attempt badly, at once or days later.
func (t *tx) failCharge(pi *PaymentIntent, pm *PaymentMethod, ch *Charge, d decline, failure *Error) {
	ch.fail(d)
	save(t, t.w.charges, ch)
	failure.Charge = ch.ID
	t.emit("charge.failed", ch, nil)
	t.fail(pi, pm, failure)
}

// fail returns a payment intent to requires_payment_method.
func (t *tx) fail(pi *PaymentIntent, pm *PaymentMethod, failure *Error) {
	snapshot := *pm
	failure.PaymentMethod = &snapshot
	pi.Status, pi.PaymentMethod, pi.NextAction, pi.LastPaymentError = requiresPaymentMethod, "", nil, failure
	save(t, t.w.paymentIntents, pi)
	t.emit("payment_intent.payment_failed", pi, nil)
	t.follow(pi)
}

// authenticate is the end of 3-D Secure: the customer did or did not prove who
// they are.
func (t *tx) authenticate(pi *PaymentIntent, success bool) {
	pm, _ := t.w.paymentMethods.get(string(pi.PaymentMethod))
	if success {
		_, _ = t.settle(pi, pm, pm.behaviour().decline) // a decline is on the intent
		return
	}
	t.fail(pi, pm, &Error{Type: typeInvalidRequest, Code: "payment_intent_authentication_failure",
		DocURL:  "https://stripe.com/docs/error-codes/payment-intent-authentication-failure",
		Message: authenticationFailed})
}

const authenticationFailed = "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again."
