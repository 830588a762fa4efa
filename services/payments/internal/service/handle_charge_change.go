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
		err := s.Cases.OpenFraudWarning(ctx, p.OrderID, fmt.Sprintf("Stripe warns that the charge of payment intent %s may be fraud: look at it before it becomes a dispute", p.IntentID))
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
// ends the matter; what is certainly not ours does so without asking Stripe.
func (s *Service) paymentOfCharge(ctx context.Context, e webhook.Event) (payment.Payment, verdict, error) {
	var object struct {
		ID            string            `json:"id"`
		Object        string            `json:"object"`
		Charge        json.RawMessage   `json:"charge"`
		PaymentIntent json.RawMessage   `json:"payment_intent"`
		Metadata      map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(e.Object, &object); err != nil {
		return payment.Payment{}, verdict{status: store.Quarantined, note: "the object cannot be read"}, nil
	}
	isCharge := object.Object == "charge"
	chargeID := object.ID
	if !isCharge {
		chargeID = webhook.IDOf(object.Charge)
	}
	if chargeID == "" {
		return payment.Payment{}, verdict{status: store.Ignored, note: "it names no charge"}, nil
	}
	p, err := s.Store.ByCharge(ctx, chargeID)
	if !errors.Is(err, store.ErrNone) {
		return p, verdict{method: "charge"}, err
	}
	c := payment.ChargeNow{IntentID: webhook.IDOf(object.PaymentIntent), Metadata: object.Metadata}
	if !isCharge && c.IntentID == "" && len(object.PaymentIntent) > 0 {
		return p, verdict{status: store.Ignored, note: "a charge without a payment intent is not ours"}, nil
	}
	if c.IntentID != "" {
		if p, err = s.Store.ByIntent(ctx, c.IntentID); !errors.Is(err, store.ErrNone) {
			return p, verdict{method: "payment_intent"}, err
		}
	}
	if !isCharge {
		// Only the charge itself carries our marker.
		c, err = s.Stripe.GetCharge(ctx, chargeID)
		if errors.Is(err, stripegw.ErrNotFound) || errors.Is(err, stripegw.ErrRefused) {
			return p, verdict{status: store.Quarantined, note: "Stripe says there is no such charge"}, nil
		}
		if err != nil {
			return p, verdict{}, err
		}
		if p, err = s.Store.ByIntent(ctx, c.IntentID); !errors.Is(err, store.ErrNone) {
			return p, verdict{method: "payment_intent"}, err
		}
	}
	if !s.Stripe.IsOurs(c.Metadata) {
		return p, verdict{status: store.Ignored, note: "foreign"}, nil
	}
	// Paid on a page of Stripe's: its intent may be new to us.
	p, method, err := s.hostedBy(ctx, "", c.Metadata["order_id"])
	switch {
	case !errors.Is(err, store.ErrNone):
		return p, verdict{method: method}, err
	case !e.Livemode:
		return p, verdict{status: store.Orphaned, method: "metadata", note: "a test event with our marker about a charge that is not known here"}, nil
	case c.IntentID == "":
		return p, verdict{}, fmt.Errorf("charge %s carries our marker and is not known here", chargeID)
	}
	// Our own records were lost: the payment comes first, then what became of it.
	v, err := s.handleUnknown(ctx, c.IntentID)
	if err != nil || v.status != store.Processed {
		return p, v, err
	}
	p, err = s.Store.ByIntent(ctx, c.IntentID)
	return p, verdict{method: v.method}, err
}
