package stripegw

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v76"

	"makegood.example/services/payments/internal/payment"
)

// GetCharge reads a charge with its refunds and its dispute. Errors:
// ErrUnknown, ErrNotFound.
func (g *Gateway) GetCharge(ctx context.Context, id string) (payment.ChargeNow, error) {
	c, err := g.api.Charges.Get(id, &stripe.ChargeParams{Params: request(ctx, "")})
	if err != nil {
		return payment.ChargeNow{}, classify(err)
	}
	now := payment.ChargeNow{ID: c.ID, Metadata: c.Metadata, RefundedMinor: c.AmountRefunded}
	if c.Captured && c.AmountCaptured > 0 {
		now.RefundedMinor = takenBack(c.Amount, c.AmountCaptured, c.AmountRefunded)
	}
	if c.PaymentIntent != nil {
		now.IntentID = c.PaymentIntent.ID
	}
	if c.Customer != nil {
		now.CustomerID = c.Customer.ID
	}
	if c.Invoice != nil {
		now.InvoiceID = c.Invoice.ID
	}
	it := g.api.Refunds.List(&stripe.RefundListParams{
		ListParams: stripe.ListParams{Context: ctx, Limit: stripe.Int64(100)}, Charge: stripe.String(id),
	})
	for it.Next() {
		now.Refunds = append(now.Refunds, g.refundFrom(it.Refund()))
	}
	if it.Err() != nil || !c.Disputed {
		return now, classify(it.Err())
	}
	now.Dispute, now.ToAnswer, err = g.dispute(ctx, id)
	return now, err
}

// dispute reads how the disputes of a charge stand, of which there may be several for
// parts of it: one that is open comes first, then one that was lost.
func (g *Gateway) dispute(ctx context.Context, chargeID string) (stands payment.Dispute, first payment.ToAnswer, err error) {
	it := g.api.Disputes.List(&stripe.DisputeListParams{
		ListParams: stripe.ListParams{Context: ctx, Limit: stripe.Int64(100)}, Charge: stripe.String(chargeID),
	})
	found := map[payment.Dispute]bool{}
	for it.Next() {
		d := it.Dispute()
		found[disputeStands(d.Status)] = true
		if by := answerBy(d); !by.IsZero() && (first.By.IsZero() || by.Before(first.By)) {
			first = payment.ToAnswer{AmountMinor: d.Amount, Currency: strings.ToUpper(string(d.Currency)), Reason: string(d.Reason), By: by}
		}
	}
	switch {
	case it.Err() != nil, found[payment.DisputeOpen], len(found) == 0: // Stripe says disputed and may show no more
		return payment.DisputeOpen, first, classify(it.Err())
	case found[payment.DisputeLost]:
		return payment.DisputeLost, first, nil
	default:
		return payment.DisputeWon, first, nil
	}
}

// answerBy is zero when there is nothing to answer.
func answerBy(d *stripe.Dispute) time.Time {
	waits := d.Status == stripe.DisputeStatusNeedsResponse || d.Status == stripe.DisputeStatusWarningNeedsResponse
	if !waits || d.EvidenceDetails == nil || d.EvidenceDetails.DueBy == 0 {
		return time.Time{}
	}
	return time.Unix(d.EvidenceDetails.DueBy, 0).UTC()
}

func disputeStands(status stripe.DisputeStatus) payment.Dispute {
	switch status {
	case stripe.DisputeStatusWon, stripe.DisputeStatusWarningClosed:
		return payment.DisputeWon
	case stripe.DisputeStatusLost:
		return payment.DisputeLost
	default:
		return payment.DisputeOpen
	}
}

// CreateRefund gives money back; the charge then shows it. Errors: ErrUnknown,
// ErrRefused, ErrKeyReused.
func (g *Gateway) CreateRefund(ctx context.Context, r payment.Refund, chargeID string) error {
	params := &stripe.RefundParams{
		Params: request(ctx, r.CreateKey()), Charge: stripe.String(chargeID), Amount: stripe.Int64(r.AmountMinor),
	}
	params.AddMetadata("makegood_app", g.cfg.AppID)
	params.AddMetadata("order_id", r.OrderID.String())
	params.AddMetadata("refund_id", r.ID.String())
	_, err := g.api.Refunds.New(params)
	return classify(err)
}

func (g *Gateway) refundFrom(r *stripe.Refund) payment.StripeRefund {
	out := payment.StripeRefund{
		ID: r.ID, AmountMinor: r.Amount, Currency: strings.ToUpper(string(r.Currency)), CreatedAt: time.Unix(r.Created, 0).UTC(),
	}
	if id, err := uuid.Parse(r.Metadata["refund_id"]); err == nil && g.IsOurs(r.Metadata) {
		out.RefundID = id
	}
	out.Status = refundStatus(r.Status)
	return out
}

func refundStatus(status stripe.RefundStatus) payment.RefundStatus {
	switch status {
	case stripe.RefundStatusSucceeded:
		return payment.RefundSucceeded
	case stripe.RefundStatusFailed, stripe.RefundStatusCanceled:
		return payment.RefundFailed
	default: // pending, requires_action
		return payment.RefundPending
	}
}
