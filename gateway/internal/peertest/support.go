package peertest

import (
	"context"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
)

// SupportPeer answers each action with what was asked.
type SupportPeer struct {
	reconciliationv1.UnimplementedSupportServiceServer
}

// SetCharging answers with the switch as asked.
func (*SupportPeer) SetCharging(ctx context.Context, r *reconciliationv1.SetChargingRequest) (*reconciliationv1.ActionResponse, error) {
	return &reconciliationv1.ActionResponse{Charging: &ordersv1.SetChargingResponse{Paused: r.GetPaused(), Actor: access.From(ctx).Actor}}, nil
}

// LinkEvent answers with the event that shows what was asked.
func (*SupportPeer) LinkEvent(_ context.Context, r *reconciliationv1.LinkEventRequest) (*reconciliationv1.ActionResponse, error) {
	return shows(r.GetStripeEventId(), r.GetReason()), nil
}

// ReplayEvent answers with the event that was asked for.
func (*SupportPeer) ReplayEvent(_ context.Context, r *reconciliationv1.ReplayEventRequest) (*reconciliationv1.ActionResponse, error) {
	return shows(r.GetStripeEventId(), ""), nil
}

// IgnoreEvent answers with the event that shows what was asked.
func (*SupportPeer) IgnoreEvent(_ context.Context, r *reconciliationv1.IgnoreEventRequest) (*reconciliationv1.ActionResponse, error) {
	return shows(r.GetStripeEventId(), r.GetReason()), nil
}

// ClaimCase answers with the case as asked.
func (*SupportPeer) ClaimCase(ctx context.Context, r *reconciliationv1.ClaimCaseRequest) (*reconciliationv1.ActionResponse, error) {
	return &reconciliationv1.ActionResponse{Case: &reconciliationv1.Case{Id: r.GetCaseId(), ClaimedBy: access.From(ctx).Actor}}, nil
}

func shows(eventID, reason string) *reconciliationv1.ActionResponse {
	return &reconciliationv1.ActionResponse{Event: &paymentsv1.WebhookEvent{StripeEventId: eventID, LastError: reason}}
}
