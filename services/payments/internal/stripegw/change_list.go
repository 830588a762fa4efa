package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/services/payments/internal/payment"
)

type listedRefund struct {
	stamp
	Amount        int64  `json:"amount"`
	Charge        ref    `json:"charge"`
	PaymentIntent ref    `json:"payment_intent"`
	Status        string `json:"status"`
}

// ListRefunds reads one page of the account's refunds, newest first. Errors:
// ErrUnknown, ErrRefused for an after that Stripe does not have.
func (g *Gateway) ListRefunds(ctx context.Context, w payment.Window, after string) (page []payment.SeenRefund, next string, err error) {
	listed, next, err := readPage[listedRefund](ctx, g, "/v1/refunds", w, after)
	for _, r := range listed {
		page = append(page, payment.SeenRefund{
			ID: r.ID, ChargeID: string(r.Charge), IntentID: string(r.PaymentIntent),
			Status: refundStatus(stripe.RefundStatus(r.Status)), AmountMinor: r.Amount,
		})
	}
	return page, next, err
}

type listedDispute struct {
	stamp
	Charge        ref    `json:"charge"`
	PaymentIntent ref    `json:"payment_intent"`
	Status        string `json:"status"`
}

// ListDisputes reads one page of the account's disputes, newest first. Errors:
// ErrUnknown, ErrRefused for an after that Stripe does not have.
func (g *Gateway) ListDisputes(ctx context.Context, w payment.Window, after string) (page []payment.SeenDispute, next string, err error) {
	listed, next, err := readPage[listedDispute](ctx, g, "/v1/disputes", w, after)
	for _, d := range listed {
		page = append(page, payment.SeenDispute{
			ID: d.ID, ChargeID: string(d.Charge), IntentID: string(d.PaymentIntent), Stands: disputeStands(stripe.DisputeStatus(d.Status)),
		})
	}
	return page, next, err
}
