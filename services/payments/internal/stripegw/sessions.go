package stripegw

import (
	"context"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/services/payments/internal/payment"
)

// CreateSession creates the page of Stripe's on which an order is paid. What
// leads back to the order stands on the session and on its payment intent, or
// on the subscription that it begins.
// Errors: ErrUnknown, ErrRefused, ErrKeyReused.
func (g *Gateway) CreateSession(ctx context.Context, p payment.Payment, successURL, cancelURL string) (payment.Session, error) {
	metadata := map[string]string{
		"makegood_app": g.cfg.AppID, "order_id": p.OrderID.String(), "reference": p.Reference.String(), "plan_id": p.PlanID,
	}
	if p.AccountID != "" {
		metadata["account_id"] = p.AccountID
	}
	item := &stripe.CheckoutSessionLineItemPriceDataParams{
		Currency: stripe.String(strings.ToLower(p.Currency)), UnitAmount: stripe.Int64(p.AmountMinor),
		ProductData: &stripe.CheckoutSessionLineItemPriceDataProductDataParams{Name: stripe.String(p.Description)},
	}
	params := &stripe.CheckoutSessionParams{
		Params: request(ctx, p.SessionKey()), Metadata: metadata, Customer: stripe.String(p.CustomerID),
		ClientReferenceID: stripe.String(p.OrderID.String()), SuccessURL: stripe.String(successURL), CancelURL: stripe.String(cancelURL),
		LineItems: []*stripe.CheckoutSessionLineItemParams{{Quantity: stripe.Int64(1), PriceData: item}},
	}
	if g.cfg.PromotionCodes {
		params.AllowPromotionCodes = stripe.Bool(true)
	}
	if p.RenewsMonths > 0 {
		params.Mode = stripe.String(string(stripe.CheckoutSessionModeSubscription))
		params.SubscriptionData = &stripe.CheckoutSessionSubscriptionDataParams{Metadata: metadata, Description: stripe.String(p.Description)}
		item.Recurring = &stripe.CheckoutSessionLineItemPriceDataRecurringParams{
			Interval: stripe.String(string(stripe.PriceRecurringIntervalMonth)), IntervalCount: stripe.Int64(int64(p.RenewsMonths)),
		}
	} else {
		params.Mode = stripe.String(string(stripe.CheckoutSessionModePayment))
		params.PaymentIntentData = &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: metadata, Description: stripe.String(p.Description)}
	}
	s, err := g.api.CheckoutSessions.New(params)
	if err != nil {
		return payment.Session{}, classify(err)
	}
	if replayed(s.LastResponse) {
		return g.GetSession(ctx, s.ID)
	}
	return sessionFrom(s), nil
}

// GetSession reads a session with its intent, which is that of the first invoice
// when it begins a subscription. Errors: ErrUnknown, ErrNotFound.
func (g *Gateway) GetSession(ctx context.Context, id string) (payment.Session, error) {
	params := &stripe.CheckoutSessionParams{Params: request(ctx, "")}
	params.AddExpand("payment_intent.latest_charge")
	params.AddExpand("invoice.payment_intent.latest_charge")
	s, err := g.api.CheckoutSessions.Get(id, params)
	if err != nil {
		return payment.Session{}, classify(err)
	}
	if s.Invoice != nil {
		if err := g.readLines(ctx, s.Invoice); err != nil {
			return payment.Session{}, err
		}
	}
	return sessionFrom(s), nil
}

// FindSession looks for an order's session among those of a customer since a
// time: for when its id was lost. Errors: ErrUnknown, ErrNotFound.
func (g *Gateway) FindSession(ctx context.Context, customerID, orderID string, since time.Time) (payment.Session, error) {
	it := g.api.CheckoutSessions.List(&stripe.CheckoutSessionListParams{
		ListParams: stripe.ListParams{Context: ctx, Limit: stripe.Int64(100)}, Customer: stripe.String(customerID),
		CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()},
	})
	rank := map[stripe.CheckoutSessionStatus]int{stripe.CheckoutSessionStatusOpen: 1, stripe.CheckoutSessionStatusComplete: 2}
	found, status := "", stripe.CheckoutSessionStatusExpired
	for it.Next() {
		s := it.CheckoutSession()
		if !g.IsOurs(s.Metadata) || s.Metadata["order_id"] != orderID {
			continue
		}
		// One that is over unpaid counts only when there is no other, and an open one
		// only when none was finished.
		if found == "" || rank[s.Status] > rank[status] {
			found, status = s.ID, s.Status
		}
	}
	switch {
	case it.Err() != nil:
		return payment.Session{}, classify(it.Err())
	case found == "":
		return payment.Session{}, ErrNotFound
	}
	return g.GetSession(ctx, found)
}

// AskedFor reads what Stripe itself asked for when it made an intent: the amount
// of our page, or of the invoice, after coupons, tax and credit; 0 when the intent
// is of neither. Errors: ErrUnknown.
func (g *Gateway) AskedFor(ctx context.Context, in payment.Intent) (int64, error) {
	if in.InvoiceID != "" {
		inv, err := g.api.Invoices.Get(in.InvoiceID, &stripe.InvoiceParams{Params: request(ctx, "")})
		if err = classify(err); err != nil {
			return 0, err
		}
		return inv.AmountDue, nil
	}
	it := g.api.CheckoutSessions.List(&stripe.CheckoutSessionListParams{
		ListParams: stripe.ListParams{Context: ctx, Limit: stripe.Int64(1), Single: true}, PaymentIntent: stripe.String(in.ID),
	})
	if !it.Next() {
		return 0, classify(it.Err())
	}
	if s := it.CheckoutSession(); g.IsOurs(s.Metadata) && s.Metadata["order_id"] == in.Metadata["order_id"] {
		return s.AmountTotal, nil
	}
	return 0, nil
}

// ExpireSession closes a session's page. Errors: ErrRefused when it is complete
// or expired already; ErrUnknown.
func (g *Gateway) ExpireSession(ctx context.Context, id string) error {
	_, err := g.api.CheckoutSessions.Expire(id, &stripe.CheckoutSessionExpireParams{Params: request(ctx, "")})
	return classify(err)
}

func sessionFrom(s *stripe.CheckoutSession) payment.Session {
	out := payment.Session{ID: s.ID, Status: string(s.Status), URL: s.URL, ExpiresAt: time.Unix(s.ExpiresAt, 0).UTC()}
	if s.Customer != nil {
		out.CustomerID = s.Customer.ID
	}
	switch {
	case s.PaymentIntent != nil:
		out.Intent = intentFrom(s.PaymentIntent)
		out.Intent.AskedMinor, out.Intent.LastWord = s.AmountTotal, out.Status == payment.SessionComplete
	case s.Invoice != nil:
		out.Intent = invoiceFrom(s.Invoice).Intent
	case out.Status == payment.SessionComplete && s.AmountTotal == 0 && s.Mode == stripe.CheckoutSessionModePayment && s.PaymentStatus != stripe.CheckoutSessionPaymentStatusUnpaid:
		out.Intent = payment.NothingDue(out.CustomerID, strings.ToUpper(string(s.Currency)), time.Time{})
	}
	return out
}
