package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/webhook"
)

// handleChargeChange follows what became of a charge after it was made: money
// that went back, a dispute, a warning. The event only says where to look: the
// charge is read again, so that the order of arrival does not matter.
func (s *Service) handleChargeChange(ctx context.Context, e webhook.Event) (verdict, error) {
	p, v, err := s.paymentOfCharge(ctx, e)
	if err != nil || v.status != "" {
		return v, err
	}
	if e.Type == "radar.early_fraud_warning.created" {
		err := s.Cases.OpenFraudWarning(ctx, p.OrderID, fmt.Sprintf("Stripe warns that charge %s may be fraud: look at it before it becomes a dispute", p.ChargeID))
		return verdict{status: store.Processed, method: v.method}, err
	}
	if p.Status != payment.Succeeded {
		// It went back before we heard that it came.
		k, err := s.read(ctx, p)
		if err != nil {
			return verdict{}, err
		}
		if p = k.Payment; p.Status != payment.Succeeded {
			return verdict{}, fmt.Errorf("intent %s is not known to be paid yet", p.IntentID)
		}
	}
	k, _, err := s.readCharge(ctx, p)
	if err != nil {
		return verdict{}, err
	}
	return s.tellOrders(ctx, k, v.method)
}

// paymentOfCharge finds whose charge an event is about. A verdict with a status
// ends the matter.
func (s *Service) paymentOfCharge(ctx context.Context, e webhook.Event) (payment.Payment, verdict, error) {
	var object struct {
		ID     string          `json:"id"`
		Object string          `json:"object"`
		Charge json.RawMessage `json:"charge"`
	}
	if err := json.Unmarshal(e.Object, &object); err != nil {
		return payment.Payment{}, verdict{status: store.Quarantined, note: "the object cannot be read"}, nil
	}
	chargeID := object.ID
	if object.Object != "charge" {
		chargeID = webhook.IDOf(object.Charge)
	}
	if chargeID == "" {
		return payment.Payment{}, verdict{status: store.Ignored, note: "it names no charge"}, nil
	}
	p, err := s.Store.ByCharge(ctx, chargeID)
	if !errors.Is(err, store.ErrNone) {
		return p, verdict{method: "charge"}, err
	}
	c, err := s.Stripe.GetCharge(ctx, chargeID)
	if errors.Is(err, stripegw.ErrNotFound) {
		return p, verdict{status: store.Quarantined, note: "Stripe says there is no such charge"}, nil
	}
	if err != nil {
		return p, verdict{}, err
	}
	p, err = s.Store.ByIntent(ctx, c.IntentID)
	switch {
	case !errors.Is(err, store.ErrNone):
		return p, verdict{method: "payment_intent"}, err
	case !s.Stripe.IsOurs(c.Metadata):
		return p, verdict{status: store.Ignored, note: "foreign"}, nil
	case !e.Livemode:
		return p, verdict{status: store.Orphaned, method: "metadata", note: "a test event with our marker about a charge that is not known here"}, nil
	default:
		return p, verdict{}, fmt.Errorf("charge %s carries our marker and is not known here", chargeID)
	}
}
