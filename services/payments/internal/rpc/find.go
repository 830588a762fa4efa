package rpc

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/service"
)

// FindCharges finds the charges that a customer's words may be about.
func (r *Admin) FindCharges(ctx context.Context, req *paymentsv1.FindChargesRequest) (*paymentsv1.FindChargesResponse, error) {
	q := service.Search{
		Emails: req.GetEmails(), CustomerIDs: req.GetCustomerIds(), IntentIDs: req.GetPaymentIntentIds(), ChargeIDs: req.GetChargeIds(),
	}
	for _, text := range req.GetOrderIds() {
		id := uuid.MustParse(text) // checked by the contract
		q.OrderIDs = append(q.OrderIDs, id, payment.OrderOfReference(id))
	}
	if card := req.GetCard(); card != nil {
		q.Card = &payment.CardSearch{
			Last4: card.GetLast4(), AmountMinor: card.GetAmountMinor(), Currency: strings.ToUpper(card.GetCurrency()), Window: window(card.GetWindow()),
		}
	}
	found, err := r.Service.FindCharges(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.FindChargesResponse{StripeRead: found.StripeRead, Cut: found.Cut}
	for _, c := range found.Charges {
		out.Charges = append(out.Charges, foundCharge(c))
	}
	return out, nil
}

func foundCharge(c service.Found) *paymentsv1.FoundCharge {
	out := &paymentsv1.FoundCharge{Charge: seenCharge(c.Seen), Email: c.Email, FailureMessage: c.Failure}
	if len(c.Last4) > 0 {
		out.Last4 = c.Last4[0]
	}
	for _, refund := range c.Refunds {
		out.Refunds = append(out.Refunds, &paymentsv1.ChargeRefund{
			StripeRefundId: refund.ID, AmountMinor: refund.AmountMinor, CreatedAt: timestamppb.New(refund.CreatedAt),
			Status: paymentsv1.Refund_Status(paymentsv1.Refund_Status_value[string(refund.Status)]),
		})
	}
	for _, d := range c.Disputes {
		out.Disputes = append(out.Disputes, &paymentsv1.ChargeDispute{
			StripeDisputeId: d.ID, AmountMinor: d.AmountMinor, Reason: d.Reason, CreatedAt: timestamppb.New(d.CreatedAt), AnswerBy: orUnset(d.AnswerBy),
			Stands: paymentsv1.Payment_Dispute(paymentsv1.Payment_Dispute_value[string(d.Stands)]), LostMinor: d.LostMinor(),
		})
	}
	return out
}

func orUnset(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
