package stripesim

import "net/http"

// Charge is Stripe's charge.
type Charge struct {
	Header
	Amount               int64             `json:"amount"` // minor units
	AmountCaptured       int64             `json:"amount_captured"`
	AmountRefunded       int64             `json:"amount_refunded"`
	Application          any               `json:"application"`
	ApplicationFee       any               `json:"application_fee"`
	ApplicationFeeAmount any               `json:"application_fee_amount"`
	BalanceTransaction   NullString        `json:"balance_transaction"`
	BillingDetails       billingDetails    `json:"billing_details"`
	StatementCalculated  NullString        `json:"calculated_statement_descriptor"`
	Captured             bool              `json:"captured"`
	Currency             string            `json:"currency"`
	Customer             NullString        `json:"customer"`
	Description          NullString        `json:"description"`
	Dispute              NullString        `json:"dispute"`
	Disputed             bool              `json:"disputed"`
	FailureBalance       NullString        `json:"failure_balance_transaction"`
	FailureCode          NullString        `json:"failure_code"`
	FailureMessage       NullString        `json:"failure_message"`
	FraudDetails         map[string]string `json:"fraud_details"`
	Invoice              NullString        `json:"invoice"`
	Livemode             bool              `json:"livemode"`
	Metadata             map[string]string `json:"metadata"`
	OnBehalfOf           NullString        `json:"on_behalf_of"`
	Outcome              *outcome          `json:"outcome"`
	Paid                 bool              `json:"paid"`
	PaymentIntent        NullString        `json:"payment_intent"`
	PaymentMethod        NullString        `json:"payment_method"`
	PaymentMethodDetails paymentDetails    `json:"payment_method_details"`
	ReceiptEmail         NullString        `json:"receipt_email"`
	ReceiptNumber        NullString        `json:"receipt_number"`
	ReceiptURL           NullString        `json:"receipt_url"`
	Refunded             bool              `json:"refunded"`
	Review               NullString        `json:"review"`
	Shipping             any               `json:"shipping"`
	Source               any               `json:"source"`
	SourceTransfer       NullString        `json:"source_transfer"`
	StatementDescriptor  NullString        `json:"statement_descriptor"`
	StatementSuffix      NullString        `json:"statement_descriptor_suffix"`
	Status               string            `json:"status"`
	TransferData         any               `json:"transfer_data"`
	TransferGroup        NullString        `json:"transfer_group"`
}

type outcome struct {
	NetworkStatus string     `json:"network_status"`
	Reason        NullString `json:"reason"`
	RiskLevel     string     `json:"risk_level"`
	RiskScore     int64      `json:"risk_score"`
	SellerMessage string     `json:"seller_message"`
	Type          string     `json:"type"`
}

type paymentDetails struct {
	Card          *usedCard        `json:"card,omitempty"`
	Type          string           `json:"type"`
	USBankAccount *usedBankAccount `json:"us_bank_account,omitempty"`
}

// newCharge copies from the intent what Stripe copies when it makes a charge.
func (t *tx) newCharge(pi *PaymentIntent, pm *PaymentMethod) *Charge {
	details := paymentDetails{Type: pm.Type}
	prefix := "ch_"
	if pm.USBankAccount != nil {
		details.USBankAccount = pm.USBankAccount.used()
		prefix = "py_"
	} else {
		details.Card = pm.Card.used(pi.Amount)
	}
	return &Charge{
		Header:               t.header(prefix, "charge", 24),
		Amount:               pi.Amount,
		BillingDetails:       pm.BillingDetails,
		Currency:             pi.Currency,
		Customer:             pi.Customer,
		Description:          pi.Description,
		FraudDetails:         map[string]string{},
		Invoice:              pi.Invoice,
		Livemode:             t.w.live,
		Metadata:             cloneMetadata(pi.Metadata),
		PaymentIntent:        NullString(pi.ID),
		PaymentMethod:        NullString(pm.ID),
		PaymentMethodDetails: details,
		ReceiptEmail:         pi.ReceiptEmail,
		StatementDescriptor:  pi.StatementDescriptor,
		StatementSuffix:      pi.StatementSuffix,
		TransferGroup:        pi.TransferGroup,
	}
}

func (ch *Charge) succeed() {
	ch.Status, ch.Paid, ch.Captured, ch.AmountCaptured = succeeded, true, true, ch.Amount
	ch.StatementCalculated = "MAKEGOOD"
	ch.ReceiptURL = NullString("https://pay.stripe.com/receipts/" + ch.ID)
	ch.Outcome = &outcome{NetworkStatus: "approved_by_network", RiskLevel: "normal", RiskScore: 7,
		SellerMessage: "Payment complete.", Type: "authorized"}
}

func (ch *Charge) fail(d decline) {
	ch.Status, ch.Captured, ch.AmountCaptured = "failed", false, 0
	ch.FailureCode, ch.FailureMessage = NullString(d.code), NullString(d.message)
	ch.Outcome = &outcome{NetworkStatus: "declined_by_network", Reason: NullString(d.declineCode), RiskLevel: "normal", RiskScore: 7,
		SellerMessage: "The bank did not return any further details with this decline.", Type: "issuer_declined"}
}

func (c *call) chargeByPath() (*Charge, *Error) {
	id := c.r.PathValue("id")
	ch, ok := c.w.charges.get(id)
	if !ok {
		return nil, c.missing(http.StatusNotFound, "charge", id, "charge")
	}
	return ch, nil
}

func retrieveCharge(c *call) (any, *Error) {
	ch, err := c.chargeByPath()
	if err == nil {
		err = c.params.finish()
	}
	if err != nil {
		return nil, err
	}
	return ch, nil
}

func updateCharge(c *call) (any, *Error) {
	ch, err := c.chargeByPath()
	if err != nil {
		return nil, err
	}
	next := *ch
	next.Metadata = cloneMetadata(ch.Metadata)
	p := c.params
	p.setText("description", &next.Description)
	p.setText("receipt_email", &next.ReceiptEmail)
	p.metadata(next.Metadata)
	if err := p.finish(); err != nil {
		return nil, err
	}
	before := *ch
	*ch = next
	save(c.tx, c.w.charges, ch)
	c.emit("charge.updated", ch, changed(before, next))
	return ch, nil
}

func listCharges(c *call) (any, *Error) {
	customer, intent := c.params.text("customer"), c.params.text("payment_intent")
	return listBy(c, c.w.charges, []filter[*Charge]{
		{"payment_intent", func(ch *Charge) string { return string(ch.PaymentIntent) }, intent},
		{"customer", func(ch *Charge) string { return string(ch.Customer) }, customer},
	}, nil)
}
