package rpc

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/payments/internal/service"
	"makegood.example/services/payments/internal/wire"
	"makegood.example/services/platform/access"
)

// Admin serves people with a role.
type Admin struct {
	paymentsv1.UnimplementedPaymentsAdminServiceServer
	Service *service.Service
}

// RefundPayment gives money back.
func (r *Admin) RefundPayment(ctx context.Context, req *paymentsv1.RefundPaymentRequest) (*paymentsv1.Refund, error) {
	actor := access.From(ctx).Actor
	if actor == "" {
		actor = "buyer" // Orders asks for nobody else
	}
	refund, err := r.Service.Refund(ctx, service.RefundWish{
		ID: uuid.MustParse(req.GetRefundId()), OrderID: uuid.MustParse(req.GetOrderId()), AmountMinor: req.GetAmountMinor(),
		ChargeID: req.GetChargeId(), Reason: req.GetReason(), Actor: actor, DryRun: req.GetDryRun(),
	})
	if err != nil {
		return nil, err
	}
	return wire.Refund(refund), nil
}

// ListRefunds lists an order's refunds.
func (r *Admin) ListRefunds(ctx context.Context, req *paymentsv1.ListRefundsRequest) (*paymentsv1.ListRefundsResponse, error) {
	refunds, err := r.Service.ListRefunds(ctx, uuid.MustParse(req.GetOrderId()))
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListRefundsResponse{}
	for _, refund := range refunds {
		out.Refunds = append(out.Refunds, wire.Refund(refund))
	}
	return out, nil
}

// ListFollowed says when subscriptions were last followed.
func (r *Admin) ListFollowed(ctx context.Context, req *paymentsv1.ListFollowedRequest) (*paymentsv1.ListFollowedResponse, error) {
	known, err := r.Service.Store.Subscriptions(ctx, req.GetSubscriptionIds())
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListFollowedResponse{}
	for _, s := range known {
		followed := &paymentsv1.FollowedSubscription{SubscriptionId: s.ID, FailedLooks: s.LookCount}
		if !s.ObservedAt.IsZero() {
			followed.FollowedAt = timestamppb.New(s.ObservedAt)
		}
		out.Subscriptions = append(out.Subscriptions, followed)
	}
	return out, nil
}
