package stripesim

import "encoding/json"

// CheckoutSession is Stripe's hosted checkout.
type CheckoutSession struct {
	Header
	AfterExpiration       any               `json:"after_expiration"`
	AllowPromotionCodes   *bool             `json:"allow_promotion_codes"`
	AmountSubtotal        int64             `json:"amount_subtotal"` // minor units
	AmountTotal           int64             `json:"amount_total"`
	AutomaticTax          map[string]any    `json:"automatic_tax"`
	BillingAddress        NullString        `json:"billing_address_collection"`
	CancelURL             NullString        `json:"cancel_url"`
	ClientReferenceID     NullString        `json:"client_reference_id"`
	ClientSecret          NullString        `json:"client_secret"`
	Consent               any               `json:"consent"`
	ConsentCollection     any               `json:"consent_collection"`
	Currency              string            `json:"currency"`
	CurrencyConversion    any               `json:"currency_conversion"`
	CustomFields          []any             `json:"custom_fields"`
	CustomText            map[string]any    `json:"custom_text"`
	Customer              NullString        `json:"customer"`
	CustomerCreation      NullString        `json:"customer_creation"`
	CustomerDetails       *customerDetails  `json:"customer_details"`
	CustomerEmail         NullString        `json:"customer_email"`
	ExpiresAt             int64             `json:"expires_at"`
	Invoice               NullString        `json:"invoice"`
	InvoiceCreation       any               `json:"invoice_creation"`
	Livemode              bool              `json:"livemode"`
	Locale                NullString        `json:"locale"`
	Metadata              map[string]string `json:"metadata"`
	Mode                  string            `json:"mode"`
	PaymentIntent         NullString        `json:"payment_intent"`
	PaymentLink           NullString        `json:"payment_link"`
	MethodCollection      string            `json:"payment_method_collection"`
	MethodConfiguration   any               `json:"payment_method_configuration_details"`
	PaymentMethodOptions  map[string]any    `json:"payment_method_options"`
	PaymentMethodTypes    []string          `json:"payment_method_types"`
	PaymentStatus         string            `json:"payment_status"`
	PhoneNumberCollection map[string]any    `json:"phone_number_collection"`
	RecoveredFrom         NullString        `json:"recovered_from"`
	SetupIntent           NullString        `json:"setup_intent"`
	ShippingAddress       any               `json:"shipping_address_collection"`
	ShippingCost          any               `json:"shipping_cost"`
	ShippingDetails       any               `json:"shipping_details"`
	ShippingOptions       []any             `json:"shipping_options"`
	Status                string            `json:"status"`
	SubmitType            NullString        `json:"submit_type"`
	Subscription          NullString        `json:"subscription"`
	SuccessURL            NullString        `json:"success_url"`
	TotalDetails          map[string]int64  `json:"total_details"`
	UIMode                string            `json:"ui_mode"`
	URL                   NullString        `json:"url"`

	hidden sessionPlan
}

// sessionPlan is what a session will make when it is paid; Stripe shows none of
// it on the session.
type sessionPlan struct {
	Items           []*lineItem       `json:"items"`
	Metadata        map[string]string `json:"metadata"` // for the payment intent or the subscription
	Description     NullString        `json:"description"`
	ReceiptEmail    NullString        `json:"receipt_email"`
	FutureUsage     NullString        `json:"setup_future_usage"`
	TrialPeriodDays int64             `json:"trial_period_days"`
	TrialEnd        int64             `json:"trial_end"`
	Discount        *discount         `json:"discount"`
}

type lineItem struct {
	Header
	AmountDiscount int64  `json:"amount_discount"` // minor units
	AmountSubtotal int64  `json:"amount_subtotal"`
	AmountTax      int64  `json:"amount_tax"`
	AmountTotal    int64  `json:"amount_total"`
	Currency       string `json:"currency"`
	Description    string `json:"description"`
	Price          *Price `json:"price"`
	Quantity       int64  `json:"quantity"`
}

type customerDetails struct {
	Address   address    `json:"address"`
	Email     NullString `json:"email"`
	Name      NullString `json:"name"`
	Phone     NullString `json:"phone"`
	TaxExempt string     `json:"tax_exempt"`
	TaxIDs    []any      `json:"tax_ids"`
}

type storedSession struct {
	*CheckoutSession
	Plan sessionPlan `json:"plan"`
}

func (cs *CheckoutSession) stored() any { return storedSession{cs, cs.hidden} }

func (cs *CheckoutSession) restore(raw json.RawMessage) error {
	s := storedSession{CheckoutSession: cs}
	err := json.Unmarshal(raw, &s)
	cs.hidden = s.Plan
	return err
}

// The states of a payment, of a session, and the modes.
const (
	paymentPaid     = "paid"
	paymentUnpaid   = "unpaid"
	paymentNotYet   = "no_payment_required"
	sessionOpen     = "open"
	sessionComplete = "complete"
	sessionExpired  = "expired"
	modePayment     = "payment"
	modeSubscribe   = "subscription"
)
