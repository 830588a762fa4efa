package stripegw

import (
	"context"
	"strings"
	"time"

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
		page = append(page, r.seen())
	}
	return page, next, err
}

func (r listedRefund) seen() payment.SeenRefund {
	return payment.SeenRefund{
		ID: r.ID, ChargeID: string(r.Charge), IntentID: string(r.PaymentIntent),
		Status: refundStatus(stripe.RefundStatus(r.Status)), AmountMinor: r.Amount, CreatedAt: time.Unix(r.Created, 0).UTC(),
	}
}

type listedDispute struct {
	stamp
	Amount        int64  `json:"amount"`
	Charge        ref    `json:"charge"`
	PaymentIntent ref    `json:"payment_intent"`
	Reason        string `json:"reason"`
	Status        string `json:"status"`
	Evidence      struct {
		DueBy int64 `json:"due_by"`
	} `json:"evidence_details"`
	Currency            string           `json:"currency"`
	BalanceTransactions []listedMovement `json:"balance_transactions"`
}

// ListDisputes reads one page of the account's disputes, newest first. Errors:
// ErrUnknown, ErrRefused for an after that Stripe does not have.
func (g *Gateway) ListDisputes(ctx context.Context, w payment.Window, after string) (page []payment.SeenDispute, next string, err error) {
	listed, next, err := readPage[listedDispute](ctx, g, "/v1/disputes", w, after)
	for _, d := range listed {
		page = append(page, d.seen())
	}
	return page, next, err
}

func (d listedDispute) seen() payment.SeenDispute {
	seen := payment.SeenDispute{
		ID: d.ID, ChargeID: string(d.Charge), IntentID: string(d.PaymentIntent), Stands: disputeStands(stripe.DisputeStatus(d.Status)),
		AmountMinor: d.Amount, Currency: strings.ToUpper(d.Currency), Reason: d.Reason, CreatedAt: time.Unix(d.Created, 0).UTC(),
	}
	for _, b := range d.BalanceTransactions {
		m := b.seen()
		m.ChargeID = string(d.Charge)
		seen.Movements = append(seen.Movements, m)
	}
	if s := stripe.DisputeStatus(d.Status); d.Evidence.DueBy > 0 && (s == stripe.DisputeStatusNeedsResponse || s == stripe.DisputeStatusWarningNeedsResponse) {
		seen.AnswerBy = time.Unix(d.Evidence.DueBy, 0).UTC()
	}
	return seen
}
