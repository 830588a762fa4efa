package oneprocess

import (
	"net/url"
	"strings"
	"time"
)

// Subscription is a subscription as Stripe has it.
type Subscription struct {
	ID                 string    `json:"id"`
	Customer           string    `json:"customer"`
	Status             string    `json:"status"`
	CancelAtPeriodEnd  bool      `json:"cancel_at_period_end"`
	CancelAt           int64     `json:"cancel_at"`
	CurrentPeriodEnd   int64     `json:"current_period_end"`
	LatestInvoice      string    `json:"latest_invoice"`
	PauseCollection    *struct{} `json:"pause_collection"`
	DefaultMethod      string    `json:"default_payment_method"`
	EndedAt            int64     `json:"ended_at"`
	CurrentPeriodStart int64     `json:"current_period_start"`
}

// Invoice is one bill of a subscription.
type Invoice struct {
	ID                 string `json:"id"`
	Status             string `json:"status"`
	BillingReason      string `json:"billing_reason"`
	AmountPaid         int64  `json:"amount_paid"`
	Charge             string `json:"charge"`
	PaymentIntent      string `json:"payment_intent"`
	NextPaymentAttempt int64  `json:"next_payment_attempt"`
	Lines              struct {
		Data []struct {
			Period struct {
				Start int64 `json:"start"`
				End   int64 `json:"end"`
			} `json:"period"`
		} `json:"data"`
	} `json:"lines"`
}

// Period is the time that the invoice asks money for.
func (i Invoice) Period() (start, end time.Time) {
	p := i.Lines.Data[0].Period
	return time.Unix(p.Start, 0).UTC(), time.Unix(p.End, 0).UTC()
}

// Charge is money taken, or refused.
type Charge struct {
	ID             string `json:"id"`
	Amount         int64  `json:"amount"`
	AmountRefunded int64  `json:"amount_refunded"`
	Status         string `json:"status"`
	Created        int64  `json:"created"`
	PaymentIntent  string `json:"payment_intent"`
}

// Customers are those with an address.
func (s *Stripe) Customers(email string) (ids []string) {
	s.t.Helper()
	type customer struct{ ID, Email string }
	for _, c := range list(s, "/v1/customers", url.Values{}, func(c customer) string { return c.ID }) {
		if strings.EqualFold(c.Email, email) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// Subscriptions are all that a customer ever had, newest first.
func (s *Stripe) Subscriptions(customer string) []Subscription {
	s.t.Helper()
	return list(s, "/v1/subscriptions", url.Values{"customer": {customer}, "status": {"all"}}, func(x Subscription) string { return x.ID })
}

// Subscription is one of them.
func (s *Stripe) Subscription(id string) (x Subscription) {
	s.t.Helper()
	s.Get("/v1/subscriptions/"+id, url.Values{}, &x)
	return x
}

// Invoices are all bills of a subscription, newest first.
func (s *Stripe) Invoices(subscription string) []Invoice {
	s.t.Helper()
	return list(s, "/v1/invoices", url.Values{"subscription": {subscription}}, func(x Invoice) string { return x.ID })
}

// Charges are all of a customer, newest first.
func (s *Stripe) Charges(customer string) []Charge {
	s.t.Helper()
	return list(s, "/v1/charges", url.Values{"customer": {customer}}, func(x Charge) string { return x.ID })
}

// IntentStatus is how a payment intent stands; empty for none.
func (s *Stripe) IntentStatus(id string) string {
	s.t.Helper()
	if id == "" {
		return ""
	}
	var intent struct{ Status string }
	s.Get("/v1/payment_intents/"+id, url.Values{}, &intent)
	return intent.Status
}

// GiveCard replaces the card that a subscription is charged to, and returns its
// payment method.
func (s *Stripe) GiveCard(sub Subscription, card string) string {
	s.t.Helper()
	var method struct{ ID string }
	s.Post("/v1/payment_methods/"+card+"/attach", url.Values{"customer": {sub.Customer}}, &method)
	s.Change(sub.ID, "default_payment_method", method.ID)
	return method.ID
}

// Change updates one field of a subscription in the dashboard.
func (s *Stripe) Change(subscription, field, value string) {
	s.t.Helper()
	s.Post("/v1/subscriptions/"+subscription, url.Values{field: {value}}, nil)
}

// Cancel ends a subscription now.
func (s *Stripe) Cancel(subscription string) {
	s.t.Helper()
	s.Delete("/v1/subscriptions/" + subscription)
}

// Refund gives a charge back in the dashboard; 0 is all of it.
func (s *Stripe) Refund(charge string, amount string) {
	s.t.Helper()
	form := url.Values{"charge": {charge}}
	if amount != "" {
		form.Set("amount", amount)
	}
	s.Post("/v1/refunds", form, nil)
}

// Authenticate is the customer at the bank's page.
func (s *Stripe) Authenticate(paymentIntent string) {
	s.t.Helper()
	s.Control("/_sim/payment_intents/"+paymentIntent+"/authenticate", map[string]string{"outcome": "success"}, nil)
}
