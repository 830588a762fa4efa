// Package rpc translates between protobuf and the domain, and nothing else.
package rpc

import (
	"context"

	"github.com/google/uuid"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/service"
	"makegood.example/services/payments/internal/wire"
)

// Payments serves Orders and the webhook entrance.
type Payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	Service *service.Service
}

// Pay drives one attempt.
func (r *Payments) Pay(ctx context.Context, req *paymentsv1.PayRequest) (*paymentsv1.Payment, error) {
	return reply(r.Service.Pay(ctx, purchase(req.GetPurchase()), uuid.MustParse(req.GetAttemptId()), req.GetPaymentMethod(), req.GetHosted(), req.GetChargeBy().AsTime()))
}

// LookAtPayment reads Stripe.
func (r *Payments) LookAtPayment(ctx context.Context, req *paymentsv1.LookAtPaymentRequest) (*paymentsv1.Payment, error) {
	return reply(r.Service.Look(ctx, purchase(req.GetPurchase())))
}

// CancelPayment makes an order unchargeable.
func (r *Payments) CancelPayment(ctx context.Context, req *paymentsv1.CancelPaymentRequest) (*paymentsv1.Payment, error) {
	return reply(r.Service.Cancel(ctx, purchase(req.GetPurchase()), uuid.MustParse(req.GetAttemptId())))
}

// ReceiveWebhook takes one delivery.
func (r *Payments) ReceiveWebhook(ctx context.Context, req *paymentsv1.ReceiveWebhookRequest) (*paymentsv1.ReceiveWebhookResponse, error) {
	status, err := r.Service.ReceiveWebhook(ctx, service.Delivery{Payload: req.GetPayload(), Signature: req.GetSignature()})
	if err != nil {
		return nil, err
	}
	return &paymentsv1.ReceiveWebhookResponse{Status: status}, nil
}

// FileWebhooks takes deliveries that came at the same time.
func (r *Payments) FileWebhooks(ctx context.Context, req *paymentsv1.FileWebhooksRequest) (*paymentsv1.FileWebhooksResponse, error) {
	deliveries := make([]service.Delivery, len(req.GetDeliveries()))
	for i, d := range req.GetDeliveries() {
		deliveries[i] = service.Delivery{Payload: d.GetPayload(), Signature: d.GetSignature()}
	}
	statuses, err := r.Service.FileWebhooks(ctx, deliveries)
	if err != nil {
		return nil, err
	}
	return &paymentsv1.FileWebhooksResponse{Statuses: statuses}, nil
}

func purchase(p *paymentsv1.Purchase) payment.Purchase {
	return payment.Purchase{
		OrderID: uuid.MustParse(p.GetOrderId()), Reference: uuid.MustParse(p.GetReference()), PlanID: p.GetPlanId(),
		Description: p.GetDescription(), AmountMinor: p.GetAmountMinor(), Currency: p.GetCurrency(),
		Email: p.GetEmail(), Name: p.GetName(), AccountID: p.GetAccountId(), OrderedAt: p.GetOrderedAt().AsTime(),
		RenewsMonths: p.GetRenewsMonths(),
	}
}

func reply(k wire.Known, err error) (*paymentsv1.Payment, error) {
	if err != nil {
		return nil, err
	}
	return wire.Payment(k), nil
}
