package rpc

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/google/uuid"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/service"
	"makegood.example/services/platform/apperr"
)

// ListCharges reads one page of the charges on the account, or some by their ids.
func (r *Admin) ListCharges(ctx context.Context, req *paymentsv1.ListChargesRequest) (*paymentsv1.ListChargesResponse, error) {
	out := &paymentsv1.ListChargesResponse{}
	var page []service.Seen
	var err error
	switch {
	case len(req.GetChargeIds()) > 0:
		page, err = r.Service.SeeCharges(ctx, req.GetChargeIds())
	case req.GetWindow() == nil:
		return nil, apperr.Invalid("window", "is needed where no charge_ids are given")
	default:
		page, out.NextPageToken, err = r.Service.ListCharges(ctx, window(req.GetWindow()), req.GetPageToken())
	}
	if err != nil {
		return nil, err
	}
	for _, c := range page {
		out.Charges = append(out.Charges, seenCharge(c))
	}
	return out, nil
}

func seenCharge(c service.Seen) *paymentsv1.SeenCharge {
	out := &paymentsv1.SeenCharge{
		ChargeId: c.ID, PaymentIntentId: c.IntentID, CustomerId: c.CustomerID, Captured: c.Captured, AmountMinor: c.AmountMinor, Currency: c.Currency,
		RefundedMinor: c.RefundedMinor, Disputed: c.Disputed, CreatedAt: timestamppb.New(c.CreatedAt),
		Owner: paymentsv1.SeenCharge_Owner(paymentsv1.SeenCharge_Owner_value[string(c.Owner)]), OwnerReason: c.Why,
		Recorded: c.Recorded, BalanceTransactionId: c.BalanceTransactionID,
	}
	switch c.Status {
	case payment.ChargeSucceeded:
		out.Status = paymentsv1.SeenCharge_SUCCEEDED
	case payment.ChargePending:
		out.Status = paymentsv1.SeenCharge_PENDING
	case payment.ChargeFailed:
		out.Status = paymentsv1.SeenCharge_FAILED
	}
	if c.OrderID != uuid.Nil {
		out.OrderId = c.OrderID.String()
	}
	return out
}

func window(w *paymentsv1.Window) payment.Window {
	return payment.Window{From: w.GetFrom().AsTime(), Before: w.GetBefore().AsTime()}
}
