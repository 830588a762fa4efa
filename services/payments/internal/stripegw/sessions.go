package stripegw

import (
	"context"
	"strings"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/services/payments/internal/payment"
)

// CreateSession creates the page of Stripe's on which an order is paid. What
// leads back to the order stands on the session and on its payment intent.
// Errors: ErrUnknown, ErrRefused, ErrKeyReused.
func (g *Gateway) CreateSession(ctx context.Context, p payment.Payment, successURL, cancelURL string) (payment.Session, error) {
	metadata := map[string]string{
		"makegood_app": g.cfg.AppID, "order_id": p.OrderID.String(), "reference": p.Reference.String(), "plan_id": p.PlanID,
	}
	if p.AccountID != "" {
		metadata["account_id"] = p.AccountID
	}
	s, err := g.api.CheckoutSessions.New(&stripe.CheckoutSessionParams{
		Params: request(ctx, p.SessionKey()), Metadata: metadata,
		Mode: stripe.String(string(stripe.CheckoutSessionModePayment)), Customer: stripe.String(p.CustomerID),
		ClientReferenceID: stripe.String(p.OrderID.String()), SuccessURL: stripe.String(successURL), CancelURL: stripe.String(cancelURL),
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: metadata, Description: stripe.String(p.Description)},
		LineItems: []*stripe.CheckoutSessionLineItemParams{{
			Quantity: stripe.Int64(1),
			PriceData: &stripe.CheckoutSessionLineItemPriceDataParams{
				Currency: stripe.String(strings.ToLower(p.Currency)), UnitAmount: stripe.Int64(p.AmountMinor),
				ProductData: &stripe.CheckoutSessionLineItemPriceDataProductDataParams{Name: stripe.String(p.Description)},
			},
		}},
	})
	if err != nil {
		return payment.Session{}, classify(err)
	}
	if replayed(s.LastResponse) {
		return g.GetSession(ctx, s.ID)
	}
	return sessionFrom(s), nil
}

// GetSession reads a session with its intent. Errors: ErrUnknown, ErrNotFound.
func (g *Gateway) GetSession(ctx context.Context, id string) (payment.Session, error) {
	params := &stripe.CheckoutSessionParams{Params: request(ctx, "")}
	params.AddExpand("payment_intent.latest_charge")
	s, err := g.api.CheckoutSessions.Get(id, params)
	if err != nil {
		return payment.Session{}, classify(err)
	}
	return sessionFrom(s), nil
}

// ExpireSession closes a session's page. Errors: ErrRefused when it is complete
// or expired already; ErrUnknown.
func (g *Gateway) ExpireSession(ctx context.Context, id string) error {
	_, err := g.api.CheckoutSessions.Expire(id, &stripe.CheckoutSessionExpireParams{Params: request(ctx, "")})
	return classify(err)
}

func sessionFrom(s *stripe.CheckoutSession) payment.Session {
	out := payment.Session{ID: s.ID, Status: string(s.Status), URL: s.URL}
	if s.PaymentIntent != nil {
		out.Intent = intentFrom(s.PaymentIntent)
	}
	return out
}
