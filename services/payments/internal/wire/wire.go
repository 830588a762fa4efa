// Package wire is how a payment looks to the other services.
package wire

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/payments/internal/payment"
)

// Known is all that is known of an order's money.
type Known struct {
	Payment payment.Payment
	// Last is the latest attempt; nil when there is none.
	Last *payment.Attempt
}

// Payment renders what is known.
func Payment(k Known) *paymentsv1.Payment {
	p := k.Payment
	says := p.Says(k.Last)
	out := &paymentsv1.Payment{
		OrderId: p.OrderID.String(), Status: paymentsv1.Payment_Status(paymentsv1.Payment_Status_value[string(says)]),
		PaymentIntentId: p.IntentID, CustomerId: p.CustomerID,
	}
	if k.Last != nil {
		out.AttemptId = k.Last.ID.String()
	}
	switch says {
	case payment.Succeeded:
		out.ChargeId, out.AmountMinor, out.Currency = p.ChargeID, p.ReceivedMinor, p.ReceivedCurrency
		out.ChargedAt = timestamppb.New(*p.ChargedAt)
		out.RefundedMinor, out.AskedMinor = p.RefundedMinor, p.AskedMinor
		out.Dispute = paymentsv1.Payment_Dispute(paymentsv1.Payment_Dispute_value[string(p.Dispute)])
		if t := p.Term; t.InvoiceID != "" {
			out.Term = &paymentsv1.Term{
				SubscriptionId: t.SubscriptionID, InvoiceId: t.InvoiceID,
				PeriodStart: timestamppb.New(t.Start), PeriodEnd: timestamppb.New(t.End),
			}
		}
	case payment.RequiresPaymentMethod:
		if k.Last != nil && k.Last.Status == payment.Declined {
			out.Decline = &paymentsv1.Decline{Code: p.Decline.Code, Message: p.Decline.Message}
		} else {
			out.ClientSecret = p.ClientSecret
		}
	case payment.RequiresAction:
		out.ClientSecret, out.RedirectUrl = p.ClientSecret, p.RedirectURL
	}
	return out
}

// Subscription renders how a subscription was observed.
func Subscription(s payment.Subscription) *paymentsv1.Subscription {
	out := &paymentsv1.Subscription{
		SubscriptionId: s.ID, OrderId: s.OrderID.String(), Status: paymentsv1.Subscription_Status(paymentsv1.Subscription_Status_value[string(s.Status)]),
		Renews: s.Renews, CurrentPeriodEnd: timestamppb.New(s.PeriodEnd), ObservedAt: timestamppb.New(s.ObservedAt),
	}
	for _, id := range s.PaidSince {
		out.PaidSinceOrderIds = append(out.PaidSinceOrderIds, id.String())
	}
	if u := s.Unpaid; u != nil {
		out.Unpaid = &paymentsv1.UnpaidInvoice{
			InvoiceId: u.InvoiceID, AmountMinor: u.AmountMinor, Currency: u.Currency, HostedUrl: u.HostedURL, ActionRequired: u.ActionRequired,
		}
		if u.NextAttemptAt != nil {
			out.Unpaid.NextAttemptAt = timestamppb.New(*u.NextAttemptAt)
		}
	}
	return out
}

// Refund renders a refund.
func Refund(r payment.Refund) *paymentsv1.Refund {
	return &paymentsv1.Refund{
		RefundId: r.ID.String(), OrderId: r.OrderID.String(), StripeRefundId: r.StripeID, AmountMinor: r.AmountMinor,
		Currency: r.Currency, Status: paymentsv1.Refund_Status(paymentsv1.Refund_Status_value[string(r.Status)]),
		Reason: r.Reason, Actor: r.Actor, CreatedAt: timestamppb.New(r.CreatedAt), ChargeId: r.ChargeID,
	}
}
