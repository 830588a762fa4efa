package stripegw

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"makegood.example/services/payments/internal/payment"
)

// listedCharge is what is needed of a charge in a list.
type listedCharge struct {
	stamp
	Amount         int64             `json:"amount"`
	AmountCaptured int64             `json:"amount_captured"`
	AmountRefunded int64             `json:"amount_refunded"`
	Balance        ref               `json:"balance_transaction"`
	Captured       bool              `json:"captured"`
	Currency       string            `json:"currency"`
	Customer       ref               `json:"customer"`
	Disputed       bool              `json:"disputed"`
	Invoice        ref               `json:"invoice"`
	Metadata       map[string]string `json:"metadata"`
	PaymentIntent  ref               `json:"payment_intent"`
	Status         string            `json:"status"`
}

// ListCharges reads one page of the account's charges, newest first. Errors:
// ErrUnknown, ErrRefused for an after that Stripe does not have.
func (g *Gateway) ListCharges(ctx context.Context, w payment.Window, after string) (page []payment.SeenCharge, next string, err error) {
	listed, next, err := readPage[listedCharge](ctx, g, "/v1/charges", w, after)
	if err != nil {
		return nil, "", err
	}
	page = make([]payment.SeenCharge, len(listed))
	for i, c := range listed {
		page[i] = c.seen()
	}
	return page, next, nil
}

func (c listedCharge) seen() payment.SeenCharge {
	amount, back := c.Amount, c.AmountRefunded
	if c.Captured && c.AmountCaptured > 0 {
		amount, back = c.AmountCaptured, takenBack(c.Amount, c.AmountCaptured, c.AmountRefunded)
	}
	return payment.SeenCharge{
		ID: c.ID, IntentID: string(c.PaymentIntent), CustomerID: string(c.Customer), InvoiceID: string(c.Invoice),
		Status: c.Status, Captured: c.Captured, AmountMinor: amount, Currency: strings.ToUpper(c.Currency),
		RefundedMinor: back, Disputed: c.Disputed, CreatedAt: time.Unix(c.Created, 0).UTC(),
		Metadata: c.Metadata, BalanceTransactionID: string(c.Balance),
	}
}

// takenBack is what went back of what was captured. Stripe counts what was reserved
// and never captured as refunded, too, although nobody ever had it.
func takenBack(amount, captured, refunded int64) int64 {
	return max(0, refunded-max(0, amount-captured))
}

// deepCharge is a charge with what stands behind it.
type deepCharge struct {
	listedCharge
	PaymentIntent whole[struct {
		Metadata map[string]string `json:"metadata"`
	}] `json:"payment_intent"`
	Invoice whole[listedInvoice] `json:"invoice"`
}

type listedInvoice struct {
	BillingReason string `json:"billing_reason"`
	Subscription  ref    `json:"subscription"`
	Details       struct {
		Metadata map[string]string `json:"metadata"`
	} `json:"subscription_details"`
	Lines struct {
		Data []struct {
			Price struct {
				ID      string `json:"id"`
				Product ref    `json:"product"`
			} `json:"price"`
		} `json:"data"`
	} `json:"lines"`
}

var behindCharge = []string{"invoice", "payment_intent"}

// BehindCharges reads a page of charges again with what stands behind each.
// Charges that were made meanwhile may have moved the last ones off the page.
// Errors: ErrUnknown.
func (g *Gateway) BehindCharges(ctx context.Context, w payment.Window, after string) (map[string]payment.Behind, error) {
	page, _, err := readPage[deepCharge](ctx, g, "/v1/charges", w, after, inData(behindCharge)...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]payment.Behind, len(page))
	for _, c := range page {
		out[c.ID] = c.behind()
	}
	return out, nil
}

// SeeCharge reads one charge with what stands behind it. Errors: ErrUnknown,
// ErrNotFound.
func (g *Gateway) SeeCharge(ctx context.Context, id string) (payment.SeenCharge, payment.Behind, error) {
	c, err := getOne[deepCharge](ctx, g, "/v1/charges/"+url.PathEscape(id), behindCharge...)
	if errors.Is(err, ErrRefused) {
		err = ErrNotFound // Stripe refuses what cannot be an id
	}
	if err != nil {
		return payment.SeenCharge{}, payment.Behind{}, err
	}
	seen := c.seen()
	seen.IntentID, seen.InvoiceID = c.PaymentIntent.ID, c.Invoice.ID
	return seen, c.behind(), nil
}

func (c deepCharge) behind() payment.Behind {
	invoice := c.Invoice.Object
	b := payment.Behind{
		IntentMetadata: c.PaymentIntent.Object.Metadata, SubscriptionID: string(invoice.Subscription),
		SubscriptionMetadata: invoice.Details.Metadata, Began: invoice.BillingReason == "subscription_create",
	}
	for _, line := range invoice.Lines.Data {
		if line.Price.ID != "" {
			b.Prices, b.Products = append(b.Prices, line.Price.ID), append(b.Products, string(line.Price.Product))
		}
	}
	return b
}

// ref is a reference: an id, null, or the object itself when expanded.
type ref string

// UnmarshalJSONFrom reads any of its forms.
func (r *ref) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		var id string // null leaves it empty
		err := json.UnmarshalDecode(dec, &id)
		*r = ref(id)
		return err
	}
	var object struct {
		ID string `json:"id"`
	}
	err := json.UnmarshalDecode(dec, &object)
	*r = ref(object.ID)
	return err
}

// whole is a reference of which the object is wanted, when Stripe shows it.
type whole[T any] struct {
	ID     string
	Object T
}

// UnmarshalJSONFrom reads an id, null, or the object.
func (r *whole[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return json.UnmarshalDecode(dec, &r.ID)
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var id ref
	if err := json.Unmarshal(raw, &id, lenient); err != nil {
		return err
	}
	r.ID = string(id)
	return json.Unmarshal(raw, &r.Object, lenient)
}
