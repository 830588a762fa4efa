package stripegw

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/services/payments/internal/payment"
)

// GetSubscription reads a subscription. Errors: ErrUnknown, ErrNotFound.
func (g *Gateway) GetSubscription(ctx context.Context, id string) (payment.SubscriptionNow, error) {
	s, err := g.api.Subscriptions.Get(id, &stripe.SubscriptionParams{Params: request(ctx, "")})
	if err != nil {
		return payment.SubscriptionNow{}, classify(err)
	}
	now := payment.SubscriptionNow{
		ID: s.ID, Metadata: s.Metadata, PlanID: planOf(s), Status: string(s.Status), CollectionPaused: s.PauseCollection != nil,
		PeriodStart: time.Unix(s.CurrentPeriodStart, 0).UTC(), PeriodEnd: time.Unix(s.CurrentPeriodEnd, 0).UTC(),
	}
	if s.Customer != nil {
		now.CustomerID = s.Customer.ID
	}
	if s.EndedAt > 0 {
		now.EndedAt = time.Unix(s.EndedAt, 0).UTC()
	}
	switch {
	case s.CancelAt > 0:
		now.CancelAt = time.Unix(s.CancelAt, 0).UTC()
	case s.CancelAtPeriodEnd:
		now.CancelAt = now.PeriodEnd
	}
	return now, nil
}

// planOf is the plan that a subscription names: on itself, or on its price.
func planOf(s *stripe.Subscription) string {
	if id := s.Metadata["plan_id"]; id != "" || s.Items == nil {
		return id
	}
	for _, item := range s.Items.Data {
		switch {
		case item.Price == nil:
		case item.Price.Metadata["plan_id"] != "":
			return item.Price.Metadata["plan_id"]
		case item.Price.LookupKey != "":
			return item.Price.LookupKey
		}
	}
	return ""
}

// CancelSubscription ends a subscription now. Errors: ErrUnknown, ErrNotFound
// when it is over already.
func (g *Gateway) CancelSubscription(ctx context.Context, key, id string) error {
	_, err := g.api.Subscriptions.Cancel(id, &stripe.SubscriptionCancelParams{Params: request(ctx, key)})
	return classify(err)
}
