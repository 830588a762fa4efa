package stripesim

import "net/http"

// PaymentMethod is Stripe's payment method: a card, or a bank account that is
// debited slowly.
type PaymentMethod struct {
	Header
	BillingDetails billingDetails    `json:"billing_details"`
	Card           *card             `json:"card,omitempty"`
	Customer       NullString        `json:"customer"`
	Livemode       bool              `json:"livemode"`
	Metadata       map[string]string `json:"metadata"`
	Type           string            `json:"type"`
	USBankAccount  *bankAccount      `json:"us_bank_account,omitempty"`
}

type billingDetails struct {
	Address address    `json:"address"`
	Email   NullString `json:"email"`
	Name    NullString `json:"name"`
	Phone   NullString `json:"phone"`
}

type address struct {
	City       NullString `json:"city"`
	Country    NullString `json:"country"`
	Line1      NullString `json:"line1"`
	Line2      NullString `json:"line2"`
	PostalCode NullString `json:"postal_code"`
	State      NullString `json:"state"`
}

func readBillingDetails(p *params, b *billingDetails) {
	if !p.has("billing_details") {
		return
	}
	sub := p.sub("billing_details")
	sub.setText("email", &b.Email)
	sub.setText("name", &b.Name)
	sub.setText("phone", &b.Phone)
	a := sub.sub("address")
	a.setText("city", &b.Address.City)
	a.setText("country", &b.Address.Country)
	a.setText("line1", &b.Address.Line1)
	a.setText("line2", &b.Address.Line2)
	a.setText("postal_code", &b.Address.PostalCode)
	a.setText("state", &b.Address.State)
	if sub.err != nil && p.err == nil {
		p.err = sub.err
	}
}

func (t *tx) newPaymentMethod(method testMethod) *PaymentMethod {
	pm := &PaymentMethod{
		Header:   t.header("pm_", "payment_method", 24),
		Livemode: t.w.live,
		Metadata: map[string]string{},
		Type:     "card",
	}
	if method.async {
		pm.Type, pm.USBankAccount = "us_bank_account", method.bankAccount()
		pm.BillingDetails.Name = "Jane Doe"
	} else {
		pm.Card = method.card(t.now)
	}
	return pm
}

// behaviour is how the payment method acts when it is charged.
func (pm *PaymentMethod) behaviour() testMethod {
	if pm.USBankAccount != nil {
		return testMethodByLast4(testBanks, pm.USBankAccount.Last4)
	}
	return testMethodByLast4(testCards, pm.Card.Last4)
}

// paymentMethodParam resolves a payment method id given as parameter. As with
// Stripe, each use of a test id such as pm_card_visa stands for a new payment
// method, which the caller must save.
func (c *call) paymentMethodParam() (*PaymentMethod, *Error) {
	if c.params.has("payment_method_data") {
		return c.readPaymentMethod(c.params.sub("payment_method_data"))
	}
	id := c.params.text("payment_method")
	if id == "" {
		return nil, nil
	}
	if t, ok := testMethodByID(id); ok {
		return c.newPaymentMethod(t), nil
	}
	pm, ok := c.w.paymentMethods.get(id)
	if !ok {
		return nil, c.missing(http.StatusBadRequest, "PaymentMethod", id, "payment_method")
	}
	return pm, nil
}

func createPaymentMethod(c *call) (any, *Error) {
	pm, err := c.readPaymentMethod(c.params)
	if err != nil {
		return nil, err
	}
	save(c.tx, c.w.paymentMethods, pm)
	return pm, nil
}

// readPaymentMethod makes a payment method of a card's details, which the caller
// must save.
func (c *call) readPaymentMethod(p *params) (*PaymentMethod, *Error) {
	p.required("type")
	p.oneOf("type", "card")
	p.ignore(browserParams...)
	fields := p.sub("card")
	number, token := fields.text("number"), fields.text("token")
	fields.ignore("exp_month", "exp_year", "cvc")
	t, ok := named(testCards, "tok_", token)
	if !ok {
		t, ok = testCardByNumber(number)
	}
	if !ok {
		p.fail("incorrect_number", "card[number]", "The simulator knows only Stripe's test cards.")
		return nil, p.finish()
	}
	pm := c.newPaymentMethod(t)
	readBillingDetails(p, &pm.BillingDetails)
	p.metadata(pm.Metadata)
	if err := p.finish(); err != nil {
		return nil, err
	}
	return pm, nil
}

func (c *call) paymentMethodByPath() (*PaymentMethod, *Error) {
	id := c.r.PathValue("id")
	pm, ok := c.w.paymentMethods.get(id)
	if !ok {
		return nil, c.missing(http.StatusNotFound, "PaymentMethod", id, "payment_method")
	}
	return pm, nil
}

func retrievePaymentMethod(c *call) (any, *Error) {
	pm, err := c.paymentMethodByPath()
	if err == nil {
		err = c.params.finish()
	}
	if err != nil {
		return nil, err
	}
	return pm, nil
}

func attachPaymentMethod(c *call) (any, *Error) {
	var pm *PaymentMethod
	if t, ok := testMethodByID(c.r.PathValue("id")); ok {
		pm = c.newPaymentMethod(t)
	} else {
		var err *Error
		if pm, err = c.paymentMethodByPath(); err != nil {
			return nil, err
		}
	}
	c.params.required("customer")
	cus, err := c.customerParam()
	if err == nil {
		err = c.params.finish()
	}
	if err != nil {
		return nil, err
	}
	if pm.Customer != "" && pm.Customer != cus {
		return nil, errState("", "", "The payment method you provided has already been attached to a customer.")
	}
	if t := pm.behaviour(); t.failsOnAttach {
		return nil, t.decline.asError()
	}
	pm.Customer = cus
	save(c.tx, c.w.paymentMethods, pm)
	c.emit("payment_method.attached", pm, nil)
	return pm, nil
}

func detachPaymentMethod(c *call) (any, *Error) {
	pm, err := c.paymentMethodByPath()
	if err == nil {
		err = c.params.finish()
	}
	if err != nil {
		return nil, err
	}
	if pm.Customer == "" {
		return nil, errState("", "", "The payment method you provided is not attached to a customer so detachment is impossible.")
	}
	pm.Customer = ""
	save(c.tx, c.w.paymentMethods, pm)
	c.emit("payment_method.detached", pm, nil)
	return pm, nil
}

func listPaymentMethods(c *call) (any, *Error) {
	customer, kind := c.params.text("customer"), c.params.text("type")
	return listBy(c, c.w.paymentMethods, []filter[*PaymentMethod]{
		{"customer", func(pm *PaymentMethod) string { return string(pm.Customer) }, customer},
	}, func(pm *PaymentMethod) bool { return customer != "" && (kind == "" || pm.Type == kind) })
}
