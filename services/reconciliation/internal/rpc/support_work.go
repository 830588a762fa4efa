package rpc

import (
	"context"

	pb "makegood.example/proto/gen/reconciliation/v1"
)

// noneGiven is the reason of who gave none, where none was ever asked for.
const noneGiven = "none given"

// ClaimCase implements reconciliation.v1.
func (s *SupportServer) ClaimCase(ctx context.Context, r *pb.ClaimCaseRequest) (*pb.ActionResponse, error) {
	a, err := oldActOf(ctx, r.GetAct(), orElse(r.GetNote(), noneGiven), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.ClaimCase(ctx, a, r.GetCaseId(), r.GetActor(), r.GetTakeOver(), r.GetNote()))
}

// AcknowledgeCase implements reconciliation.v1.
func (s *SupportServer) AcknowledgeCase(ctx context.Context, r *pb.AcknowledgeCaseRequest) (*pb.ActionResponse, error) {
	a, err := oldActOf(ctx, r.GetAct(), orElse(r.GetNote(), noneGiven), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.AcknowledgeCase(ctx, a, r.GetCaseId(), r.GetNote()))
}

// SnoozeCase implements reconciliation.v1.
func (s *SupportServer) SnoozeCase(ctx context.Context, r *pb.SnoozeCaseRequest) (*pb.ActionResponse, error) {
	if r.GetAct() == nil && r.GetReason() == "" {
		return nil, errNoReason
	}
	a, err := oldActOf(ctx, r.GetAct(), r.GetReason(), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.SnoozeCase(ctx, a, r.GetCaseId(), r.GetUntil().AsTime()))
}

// ResolveCase implements reconciliation.v1.
func (s *SupportServer) ResolveCase(ctx context.Context, r *pb.ResolveCaseRequest) (*pb.ActionResponse, error) {
	a, err := oldActOf(ctx, r.GetAct(), r.GetResolution(), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.ResolveCase(ctx, a, r.GetCaseId(), r.GetVersion(), r.GetResolution()))
}

// AcknowledgeIncident implements reconciliation.v1.
func (s *SupportServer) AcknowledgeIncident(ctx context.Context, r *pb.AcknowledgeIncidentRequest) (*pb.ActionResponse, error) {
	a, err := oldActOf(ctx, r.GetAct(), orElse(r.GetNote(), noneGiven), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.AcknowledgeIncident(ctx, a, r.GetKey(), r.GetNote()))
}

// SnoozeIncident implements reconciliation.v1.
func (s *SupportServer) SnoozeIncident(ctx context.Context, r *pb.SnoozeIncidentRequest) (*pb.ActionResponse, error) {
	if r.GetAct() == nil && r.GetReason() == "" {
		return nil, errNoReason
	}
	a, err := oldActOf(ctx, r.GetAct(), r.GetReason(), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.SnoozeIncident(ctx, a, r.GetKey(), r.GetUntil().AsTime(), orElse(r.GetReason(), a.Reason)))
}

// LinkEvent implements reconciliation.v1.
func (s *SupportServer) LinkEvent(ctx context.Context, r *pb.LinkEventRequest) (*pb.ActionResponse, error) {
	if r.GetAct() == nil && r.GetReason() == "" {
		return nil, errNoReason
	}
	a, err := oldActOf(ctx, r.GetAct(), r.GetReason(), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.LinkEvent(ctx, a, r.GetStripeEventId(), r.GetOrderId(), r.GetAccountId()))
}

// ReplayEvent implements reconciliation.v1.
func (s *SupportServer) ReplayEvent(ctx context.Context, r *pb.ReplayEventRequest) (*pb.ActionResponse, error) {
	a, err := oldActOf(ctx, r.GetAct(), noneGiven, r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.ReplayEvent(ctx, a, r.GetStripeEventId()))
}

// IgnoreEvent implements reconciliation.v1.
func (s *SupportServer) IgnoreEvent(ctx context.Context, r *pb.IgnoreEventRequest) (*pb.ActionResponse, error) {
	if r.GetAct() == nil && r.GetReason() == "" {
		return nil, errNoReason
	}
	a, err := oldActOf(ctx, r.GetAct(), r.GetReason(), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.IgnoreEvent(ctx, a, r.GetStripeEventId()))
}

// SetCharging implements reconciliation.v1.
func (s *SupportServer) SetCharging(ctx context.Context, r *pb.SetChargingRequest) (*pb.ActionResponse, error) {
	if r.GetAct() == nil && r.GetReason() == "" {
		return nil, errNoReason
	}
	a, err := oldActOf(ctx, r.GetAct(), r.GetReason(), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.SetCharging(ctx, a, r.GetPaused()))
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
