package stripesim

import "encoding/json"

// Invoice is Stripe's invoice, as subscriptions make them.
type Invoice struct {
	Header
	AccountCountry       string            `json:"account_country"`
	AccountName          string            `json:"account_name"`
	AccountTaxIDs        []any             `json:"account_tax_ids"`
	AmountDue            int64             `json:"amount_due"` // minor units
	AmountPaid           int64             `json:"amount_paid"`
	AmountRemaining      int64             `json:"amount_remaining"`
	AmountShipping       int64             `json:"amount_shipping"`
	Application          any               `json:"application"`
	ApplicationFeeAmount any               `json:"application_fee_amount"`
	AttemptCount         int64             `json:"attempt_count"`
	Attempted            bool              `json:"attempted"`
	AutoAdvance          bool              `json:"auto_advance"`
	AutomaticTax         map[string]any    `json:"automatic_tax"`
	BillingReason        string            `json:"billing_reason"`
	Charge               NullString        `json:"charge"`
	CollectionMethod     string            `json:"collection_method"`
	Currency             string            `json:"currency"`
	CustomFields         any               `json:"custom_fields"`
	Customer             NullString        `json:"customer"`
	CustomerAddress      any               `json:"customer_address"`
	CustomerEmail        NullString        `json:"customer_email"`
	CustomerName         NullString        `json:"customer_name"`
	CustomerPhone        NullString        `json:"customer_phone"`
	CustomerShipping     any               `json:"customer_shipping"`
	CustomerTaxExempt    string            `json:"customer_tax_exempt"`
	CustomerTaxIDs       []any             `json:"customer_tax_ids"`
	DefaultPaymentMethod NullString        `json:"default_payment_method"`
	DefaultSource        NullString        `json:"default_source"`
	DefaultTaxRates      []any             `json:"default_tax_rates"`
	Description          NullString        `json:"description"`
	Discount             *discount         `json:"discount"`
	Discounts            []any             `json:"discounts"`
	DueDate              *int64            `json:"due_date"`
	EffectiveAt          *int64            `json:"effective_at"`
	EndingBalance        *int64            `json:"ending_balance"`
	Footer               NullString        `json:"footer"`
	FromInvoice          any               `json:"from_invoice"`
	HostedInvoiceURL     NullString        `json:"hosted_invoice_url"`
	InvoicePDF           NullString        `json:"invoice_pdf"`
	Issuer               map[string]any    `json:"issuer"`
	LastFinalization     any               `json:"last_finalization_error"`
	LatestRevision       NullString        `json:"latest_revision"`
	Lines                *invoiceLines     `json:"lines"`
	Livemode             bool              `json:"livemode"`
	Metadata             map[string]string `json:"metadata"`
	NextPaymentAttempt   *int64            `json:"next_payment_attempt"`
	Number               NullString        `json:"number"`
	OnBehalfOf           NullString        `json:"on_behalf_of"`
	Paid                 bool              `json:"paid"`
	PaidOutOfBand        bool              `json:"paid_out_of_band"`
	PaymentIntent        NullString        `json:"payment_intent"`
	PaymentSettings      map[string]any    `json:"payment_settings"`
	PeriodEnd            int64             `json:"period_end"`
	PeriodStart          int64             `json:"period_start"`
	PostPayment          int64             `json:"post_payment_credit_notes_amount"`
	PrePayment           int64             `json:"pre_payment_credit_notes_amount"`
	Quote                NullString        `json:"quote"`
	ReceiptNumber        NullString        `json:"receipt_number"`
	Rendering            any               `json:"rendering"`
	RenderingOptions     any               `json:"rendering_options"`
	ShippingCost         any               `json:"shipping_cost"`
	ShippingDetails      any               `json:"shipping_details"`
	StartingBalance      int64             `json:"starting_balance"`
	StatementDescriptor  NullString        `json:"statement_descriptor"`
	Status               string            `json:"status"`
	StatusTransitions    transitions       `json:"status_transitions"`
	Subscription         NullString        `json:"subscription"`
	SubscriptionDetails  details           `json:"subscription_details"`
	Subtotal             int64             `json:"subtotal"`
	SubtotalExcludingTax int64             `json:"subtotal_excluding_tax"`
	Tax                  *int64            `json:"tax"`
	TestClock            NullString        `json:"test_clock"`
	Total                int64             `json:"total"`
	TotalDiscounts       []any             `json:"total_discount_amounts"`
	TotalExcludingTax    int64             `json:"total_excluding_tax"`
	TotalTaxAmounts      []any             `json:"total_tax_amounts"`
	TransferData         any               `json:"transfer_data"`
	WebhooksDeliveredAt  *int64            `json:"webhooks_delivered_at"`

	retries   int  // automatic attempts that failed
	automatic bool // an automatic attempt is under way
}

type transitions struct {
	FinalizedAt           *int64 `json:"finalized_at"`
	MarkedUncollectibleAt *int64 `json:"marked_uncollectible_at"`
	PaidAt                *int64 `json:"paid_at"`
	VoidedAt              *int64 `json:"voided_at"`
}

type details struct {
	Metadata map[string]string `json:"metadata"`
}

type invoiceLine struct {
	ID                 string            `json:"id"`
	Object             string            `json:"object"`
	Amount             int64             `json:"amount"` // minor units
	AmountExcludingTax int64             `json:"amount_excluding_tax"`
	Currency           string            `json:"currency"`
	Description        string            `json:"description"`
	DiscountAmounts    []any             `json:"discount_amounts"`
	Discountable       bool              `json:"discountable"`
	Discounts          []any             `json:"discounts"`
	Invoice            string            `json:"invoice"`
	InvoiceItem        string            `json:"invoice_item,omitempty"`
	Livemode           bool              `json:"livemode"`
	Metadata           map[string]string `json:"metadata"`
	Period             period            `json:"period"`
	Plan               *plan             `json:"plan"`
	Price              *Price            `json:"price"`
	Proration          bool              `json:"proration"`
	ProrationDetails   map[string]any    `json:"proration_details"`
	Quantity           int64             `json:"quantity"`
	Subscription       string            `json:"subscription"`
	SubscriptionItem   string            `json:"subscription_item,omitempty"`
	TaxAmounts         []any             `json:"tax_amounts"`
	TaxRates           []any             `json:"tax_rates"`
	Type               string            `json:"type"`
	UnitAmountExTax    string            `json:"unit_amount_excluding_tax"`
}

type period struct {
	End   int64 `json:"end"`
	Start int64 `json:"start"`
}

type storedInvoice struct {
	*Invoice
	Retries int `json:"automatic_retries,omitempty"`
	// AllLines are kept where the invoice shows only some.
	AllLines []*invoiceLine `json:"all_lines,omitempty"`
}

func (inv *Invoice) stored() any {
	s := storedInvoice{Invoice: inv, Retries: inv.retries}
	if len(inv.Lines.Data) > shownLines {
		s.AllLines = inv.Lines.Data
	}
	return s
}

func (inv *Invoice) restore(raw json.RawMessage) error {
	s := storedInvoice{Invoice: inv}
	err := json.Unmarshal(raw, &s)
	inv.retries = s.Retries
	if s.AllLines != nil {
		inv.Lines.Data = s.AllLines
	}
	return err
}

func invoiceSubscription(inv *Invoice) string { return string(inv.Subscription) }
