package stripegw

import (
	"cmp"
	"context"
	"errors"
	"net/url"

	"makegood.example/services/payments/internal/payment"
)

// foundCharge is a charge with all by which its customer may recognise it.
type foundCharge struct {
	deepCharge
	Billing struct {
		Email string `json:"email"`
	} `json:"billing_details"`
	Customer whole[struct {
		Email string `json:"email"`
	}] `json:"customer"`
	Details struct {
		Card struct {
			Last4  string `json:"last4"`
			Wallet struct {
				DynamicLast4 string `json:"dynamic_last4"`
			} `json:"wallet"`
		} `json:"card"`
		SEPADebit     lastFour `json:"sepa_debit"`
		USBankAccount lastFour `json:"us_bank_account"`
	} `json:"payment_method_details"`
	FailureMessage string `json:"failure_message"`
	ReceiptEmail   string `json:"receipt_email"`
	Refunds        struct {
		Data []listedRefund `json:"data"`
	} `json:"refunds"`
}

type lastFour struct {
	Last4 string `json:"last4"`
}

var aroundCharge = []string{"customer", "invoice", "payment_intent", "refunds"}

func (c foundCharge) found() payment.FoundCharge {
	out := payment.FoundCharge{
		SeenCharge: c.seen(), Behind: c.behind(),
		Around: payment.Around{Failure: c.FailureMessage, Email: cmp.Or(c.Customer.Object.Email, c.Billing.Email, c.ReceiptEmail)},
	}
	out.IntentID, out.CustomerID, out.InvoiceID = c.PaymentIntent.ID, c.Customer.ID, c.Invoice.ID
	for _, last4 := range []string{c.Details.Card.Last4, c.Details.Card.Wallet.DynamicLast4, c.Details.SEPADebit.Last4, c.Details.USBankAccount.Last4} {
		if last4 != "" {
			out.Last4 = append(out.Last4, last4)
		}
	}
	for _, r := range c.Refunds.Data {
		out.Refunds = append(out.Refunds, r.seen())
	}
	return out
}

// FindCharge reads one charge; none when Stripe does not have it. Errors:
// ErrUnknown.
func (g *Gateway) FindCharge(ctx context.Context, id string) ([]payment.FoundCharge, error) {
	c, err := getOne[foundCharge](ctx, g, "/v1/charges/"+url.PathEscape(id), aroundCharge...)
	if err != nil {
		return nil, none(err)
	}
	return []payment.FoundCharge{c.found()}, nil
}

// ChargesOfCustomer reads a Stripe customer's newest charges, and whether there
// are more. Errors: ErrUnknown.
func (g *Gateway) ChargesOfCustomer(ctx context.Context, customerID string) (charges []payment.FoundCharge, more bool, err error) {
	charges, next, err := g.findCharges(ctx, url.Values{"customer": {customerID}}, "")
	return charges, next != "", err
}

// ChargesOfIntent reads a payment intent's charges, refused ones too. Errors:
// ErrUnknown.
func (g *Gateway) ChargesOfIntent(ctx context.Context, intentID string) ([]payment.FoundCharge, error) {
	charges, _, err := g.findCharges(ctx, url.Values{"payment_intent": {intentID}}, "")
	return charges, err
}

// SearchCharges reads one page of the charges of a window and answers with those
// that may be the one on a statement. Errors: ErrUnknown.
func (g *Gateway) SearchCharges(ctx context.Context, s payment.CardSearch, after string) (charges []payment.FoundCharge, next string, err error) {
	page, next, err := readPage[foundCharge](ctx, g, "/v1/charges", s.Window, after, inData(aroundCharge)...)
	for _, c := range page {
		if found := c.found(); s.Fits(found) {
			charges = append(charges, found)
		}
	}
	return charges, next, err
}

func (g *Gateway) findCharges(ctx context.Context, query url.Values, after string) (charges []payment.FoundCharge, next string, err error) {
	page, next, err := readList[foundCharge](ctx, g, "/v1/charges", query, after, inData(aroundCharge)...)
	for _, c := range page {
		charges = append(charges, c.found())
	}
	return charges, next, none(err)
}

// CustomersOf lists the ids of all Customers with exactly this address, ours or not,
// and whether there are more. Errors: ErrUnknown.
func (g *Gateway) CustomersOf(ctx context.Context, email string) (ids []string, more bool, err error) {
	page, next, err := readList[stamp](ctx, g, "/v1/customers", url.Values{"email": {email}}, "")
	for _, c := range page {
		ids = append(ids, c.ID)
	}
	return ids, next != "", none(err)
}

// DisputesOf reads a charge's disputes, newest first. Errors: ErrUnknown.
func (g *Gateway) DisputesOf(ctx context.Context, chargeID string) (disputes []payment.SeenDispute, err error) {
	page, _, err := readList[listedDispute](ctx, g, "/v1/disputes", url.Values{"charge": {chargeID}}, "")
	for _, d := range page {
		disputes = append(disputes, d.seen())
	}
	return disputes, none(err)
}

// none is no error when Stripe has no object of a name that somebody gave.
func none(err error) error {
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrRefused) {
		return nil
	}
	return err
}

func inData(fields []string) []string {
	out := make([]string, len(fields))
	for i, field := range fields {
		out[i] = "data." + field
	}
	return out
}
