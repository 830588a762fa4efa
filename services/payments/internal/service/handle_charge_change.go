package service

import (
	"context"
	"fmt"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/wire"
)

// handleChargeChange follows what became of a charge after it was made: money
// that went back, a dispute, a warning. The event only says where to look: the
// charge is read again, so that the order of arrival does not matter.
func (s *Service) handleChargeChange(ctx context.Context, n news, w whose) (verdict, error) {
	switch p := w.payment; {
	case w.saved:
		return s.followCharge(ctx, n, p, w.method)
	case w.order && p.IntentID == "" && p.SessionID != "":
		return s.handlePagesCharge(ctx, n, w)
	default:
		return s.followRestored(ctx, n, w.method)
	}
}

// handlePagesCharge follows a charge of an order whose page's intent is not known
// here: it may be of that one, or money beside the page.
func (s *Service) handlePagesCharge(ctx context.Context, n news, w whose) (verdict, error) {
	k, open, err := s.readPage(ctx, w.payment)
	switch {
	case err != nil:
		return verdict{}, err
	case k.Payment.IntentID == n.IntentID:
		return s.followCharge(ctx, n, k.Payment, w.method)
	case open != nil:
		return verdict{}, open
	default:
		return s.followRestored(ctx, n, w.method)
	}
}

// followRestored follows a charge whose payment is not known here: the payment
// comes first, from what Stripe knows, then what became of it.
func (s *Service) followRestored(ctx context.Context, n news, method string) (verdict, error) {
	if n.IntentID == "" {
		return verdict{}, fmt.Errorf("charge %s is of ours and is not known here", n.ChargeID)
	}
	v, err := s.handleUnknown(ctx, n.IntentID, method)
	if err != nil || v.status != store.Processed {
		return v, err
	}
	p, err := s.Store.ByIntent(ctx, n.IntentID)
	if err != nil {
		return verdict{}, err
	}
	return s.followCharge(ctx, n, p, v.method)
}

func (s *Service) followCharge(ctx context.Context, n news, p payment.Payment, method string) (verdict, error) {
	if n.Type == "radar.early_fraud_warning.created" {
		err := s.Cases.OpenFraudWarning(ctx, p.OrderID, fmt.Sprintf("Stripe warns that the charge of payment intent %s may be fraud: look at it before it becomes a dispute", p.IntentID))
		return verdict{status: store.Processed, method: method}, err
	}
	k, err := s.readPaidCharge(ctx, p)
	if err != nil {
		return verdict{}, err
	}
	return s.tellOrders(ctx, k, method)
}

// readPaidCharge reads how a payment's charge stands now and records it.
func (s *Service) readPaidCharge(ctx context.Context, p payment.Payment) (wire.Known, error) {
	if p.Status != payment.Succeeded {
		// It went back before we heard that it came.
		k, err := s.ask(ctx, p)
		if err != nil {
			return k, err
		}
		if p = k.Payment; p.Status != payment.Succeeded {
			return k, fmt.Errorf("intent %s is not known to be paid yet", p.IntentID)
		}
	}
	k, _, err := s.readCharge(ctx, p)
	return k, err
}
