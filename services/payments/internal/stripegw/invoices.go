package stripegw

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/services/payments/internal/payment"
)

// invoicesMax bounds how many invoices are read at once: twenty years of weeks.
const invoicesMax = 1000

// linesMax bounds how many lines of one invoice are read: Stripe allows 250 items.
const linesMax = 2000

// ListInvoices lists a subscription's invoices made since a time, with what
// paid them, oldest first. Errors: ErrUnknown.
func (g *Gateway) ListInvoices(ctx context.Context, subscriptionID string, since time.Time) ([]payment.Invoice, error) {
	params := &stripe.InvoiceListParams{
		ListParams:   stripe.ListParams{Context: ctx, Limit: stripe.Int64(100)},
		Subscription: stripe.String(subscriptionID),
	}
	if !since.IsZero() {
		params.CreatedRange = &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()}
	}
	params.AddExpand("data.payment_intent.latest_charge")
	var out []payment.Invoice
	it := g.api.Invoices.List(params)
	for it.Next() {
		if len(out) == invoicesMax {
			return nil, errors.New("the subscription has more invoices than can be followed")
		}
		inv := it.Invoice()
		if err := g.readLines(ctx, inv); err != nil {
			return nil, err
		}
		out = append(out, invoiceFrom(inv))
	}
	slices.Reverse(out)
	return out, classify(it.Err())
}

// SubscriptionOfInvoice reads which subscription an invoice bills; empty for
// none. Errors: ErrUnknown, ErrNotFound.
func (g *Gateway) SubscriptionOfInvoice(ctx context.Context, invoiceID string) (string, error) {
	inv, err := g.api.Invoices.Get(invoiceID, &stripe.InvoiceParams{Params: request(ctx, "")})
	if err != nil || inv.Subscription == nil {
		return "", classify(err)
	}
	return inv.Subscription.ID, nil
}

// VoidInvoice makes an invoice unpayable, and its intent with it. Errors:
// ErrRefused when it is paid, being paid or void already; ErrUnknown.
func (g *Gateway) VoidInvoice(ctx context.Context, key, id string) error {
	_, err := g.api.Invoices.VoidInvoice(id, &stripe.InvoiceVoidInvoiceParams{Params: request(ctx, key)})
	return classify(err)
}

// readLines reads those of an invoice's lines that Stripe left out of it: what was
// changed in the middle of a period comes before the line that says which is paid.
func (g *Gateway) readLines(ctx context.Context, inv *stripe.Invoice) error {
	if inv.Lines == nil || !inv.Lines.HasMore {
		return nil
	}
	params := &stripe.InvoiceListLinesParams{
		ListParams: stripe.ListParams{Context: ctx, Limit: stripe.Int64(100)}, Invoice: stripe.String(inv.ID),
	}
	var all []*stripe.InvoiceLineItem
	it := g.api.Invoices.ListLines(params)
	for it.Next() {
		if len(all) == linesMax {
			return errors.New("the invoice has more lines than can be read")
		}
		all = append(all, it.InvoiceLineItem())
	}
	inv.Lines.Data = all
	return classify(it.Err())
}

func invoiceFrom(inv *stripe.Invoice) payment.Invoice {
	out := payment.Invoice{
		ID: inv.ID, Status: string(inv.Status), Attempted: inv.Attempted, DueMinor: inv.AmountRemaining,
		Currency: strings.ToUpper(string(inv.Currency)), HostedURL: inv.HostedInvoiceURL, CreatedAt: time.Unix(inv.Created, 0).UTC(),
		Term: termOf(inv),
	}
	if inv.Subscription != nil {
		out.SubscriptionID = inv.Subscription.ID
	}
	if inv.NextPaymentAttempt > 0 {
		at := time.Unix(inv.NextPaymentAttempt, 0).UTC()
		out.NextAttemptAt = &at
	}
	paidAt := time.Time{}
	if inv.StatusTransitions != nil && inv.StatusTransitions.PaidAt > 0 {
		paidAt = time.Unix(inv.StatusTransitions.PaidAt, 0).UTC()
	}
	switch {
	case inv.PaymentIntent != nil:
		out.Intent = intentFrom(inv.PaymentIntent)
		out.Intent.Term, out.Intent.AskedMinor = out.Term, inv.AmountDue
		out.Intent.SucceededAt = paidAt
	case out.Paid() && inv.AmountDue == 0 && !inv.PaidOutOfBand:
		customerID := ""
		if inv.Customer != nil {
			customerID = inv.Customer.ID
		}
		out.Intent = payment.NothingDue(customerID, out.Currency, paidAt)
		out.Intent.Term = out.Term
	}
	return out
}

// termOf is the period that an invoice pays for: that of the subscription's own
// line. The invoice's period is another, the one in which its items came up.
func termOf(inv *stripe.Invoice) (t payment.Term) {
	if inv.Subscription == nil || inv.Lines == nil {
		return t
	}
	for _, line := range inv.Lines.Data {
		if line.Type != stripe.InvoiceLineItemTypeSubscription || line.Proration || line.Period == nil || line.Period.End <= line.Period.Start {
			continue
		}
		if end := time.Unix(line.Period.End, 0).UTC(); end.After(t.End) {
			t = payment.Term{SubscriptionID: inv.Subscription.ID, InvoiceID: inv.ID, Start: time.Unix(line.Period.Start, 0).UTC(), End: end}
		}
	}
	return t
}
