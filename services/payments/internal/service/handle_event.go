package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"makegood.example/services/payments/internal/clients"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/webhook"
	"makegood.example/services/payments/internal/wire"
)

// verdict is what became of an event: a final ledger status, how its order was
// found, and a note for whoever reads the ledger.
type verdict struct{ status, method, note string }

// handle answers the questions about an event in their order: of our mode, of a
// kind that says something, ours, and what it says. An error means not yet.
func (s *Service) handle(ctx context.Context, payload []byte) (verdict, error) {
	e, err := webhook.Parse(payload)
	if err != nil {
		return verdict{status: store.Quarantined, note: "unreadable: " + err.Error()}, nil
	}
	switch live := s.Stripe.Livemode(); {
	case live && !e.Livemode:
		return verdict{status: store.Orphaned, note: "a test event at a live key"}, nil
	case !live && e.Livemode:
		return verdict{status: store.Quarantined, note: "a live event at a test key"}, nil
	}
	switch e.Type {
	case "payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled",
		"payment_intent.processing", "payment_intent.requires_action":
		in, err := stripegw.ParseIntent(e.Object)
		if err != nil {
			return verdict{status: store.Quarantined, note: err.Error()}, nil
		}
		return s.handleIntent(ctx, in, e)
	case "charge.succeeded":
		return s.handleCharge(ctx, e)
	case "checkout.session.completed", "checkout.session.expired",
		"checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed":
		return s.handleSession(ctx, e)
	case "charge.refunded", "charge.refund.updated", "refund.created", "refund.updated", "refund.failed",
		"charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed",
		"charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated",
		"radar.early_fraud_warning.created":
		return s.handleChargeChange(ctx, e)
	default:
		return verdict{status: store.Ignored, note: "nothing follows from this type"}, nil
	}
}

// handleIntent records what Stripe says of one of our intents and tells Orders.
func (s *Service) handleIntent(ctx context.Context, in payment.Intent, e webhook.Event) (verdict, error) {
	p, err := s.Store.ByIntent(ctx, in.ID)
	method := "payment_intent"
	if errors.Is(err, store.ErrNone) && s.Stripe.IsOurs(in.Metadata) {
		// Paid on a page of Stripe's: its intent is new to us.
		if p, method, err = s.hostedBy(ctx, "", in.Metadata["order_id"]); err == nil {
			k, err := s.read(ctx, p)
			if err != nil {
				return verdict{}, err
			}
			if k.Payment.IntentID != in.ID {
				return verdict{status: store.Processed, method: method, note: "the session is not done with it"}, nil
			}
			return s.tellOrders(ctx, k, method)
		}
	}
	switch {
	case err == nil:
	case !errors.Is(err, store.ErrNone):
		return verdict{}, err
	case !s.Stripe.IsOurs(in.Metadata):
		return verdict{status: store.Ignored, note: "foreign"}, nil
	default:
		// Ours by its marker, and not saved: nothing we confirmed. Until it is
		// known here, the event is kept and tried again.
		if e.Type == "payment_intent.canceled" {
			return verdict{status: store.Ignored, method: "metadata", note: "an intent that came too late was canceled"}, nil
		}
		if !e.Livemode {
			return verdict{status: store.Orphaned, method: "metadata", note: "a test event with our marker about an intent that is not known here"}, nil
		}
		return s.handleUnknown(ctx, in.ID)
	}
	if p.Status == payment.Succeeded {
		return s.tellOrders(ctx, wire.Known{Payment: p}, method) // recorded already: an event can add nothing
	}
	if !trusted(in, p) {
		if in, err = s.Stripe.GetIntent(ctx, in.ID); errors.Is(err, stripegw.ErrNotFound) {
			return verdict{status: store.Quarantined, method: method, note: "Stripe says there is no such intent"}, nil
		} else if err != nil {
			return verdict{}, err
		}
	}
	if e.Type == "payment_intent.succeeded" || e.Type == "charge.succeeded" || in.Charge.CreatedAt.IsZero() {
		in.SucceededAt = e.CreatedAt
	}
	k, err := s.record(ctx, p.ID, in, false, nil)
	if err != nil {
		return verdict{}, err
	}
	if k.Payment.Says(k.Last) == payment.Unknown {
		return verdict{status: store.Processed, method: method, note: "no news"}, nil
	}
	return s.tellOrders(ctx, k, method)
}

// tellOrders hands the news over; the event is processed once the order has it.
func (s *Service) tellOrders(ctx context.Context, k wire.Known, method string) (verdict, error) {
	state, err := s.Orders.Advance(ctx, k, clients.Webhook)
	if clients.IsOrderNotFound(err) && k.Payment.Status == payment.Succeeded {
		state, err = s.adopt(ctx, k)
	}
	if clients.IsCannotAdopt(err) { // a case is open
		return verdict{status: store.Quarantined, method: method, note: "the order is not known, and the charge does not say whose it is"}, nil
	}
	if err != nil {
		return verdict{}, fmt.Errorf("orders: %w", err)
	}
	if k.Payment.Status == payment.Succeeded && state == "PENDING" {
		return verdict{}, errors.New("the order does not take the payment")
	}
	return verdict{status: store.Processed, method: method}, nil
}

// trusted says whether the event's own word is enough: a signed success for an
// intent that we saved, with all that we asked for. Anything else is read again.
func trusted(in payment.Intent, p payment.Payment) bool {
	return in.Status == payment.StripeSucceeded && in.Charge.ID != "" &&
		in.ReceivedMinor == p.AmountMinor && in.Currency == p.Currency && in.CustomerID == p.CustomerID
}

// handleCharge reads the intent that the charge belongs to.
func (s *Service) handleCharge(ctx context.Context, e webhook.Event) (verdict, error) {
	var charge struct {
		PaymentIntent string            `json:"payment_intent"`
		Metadata      map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(e.Object, &charge); err != nil {
		return verdict{status: store.Quarantined, note: "the charge cannot be read"}, nil
	}
	if !strings.HasPrefix(charge.PaymentIntent, "pi_") {
		return verdict{status: store.Ignored, note: "a charge without a payment intent is not ours"}, nil
	}
	return s.handleIntent(ctx, payment.Intent{ID: charge.PaymentIntent, Metadata: charge.Metadata}, e)
}
