package rpc

import (
	"context"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/service"
)

// Recover implements reconciliation.v1.
func (s *SupportServer) Recover(ctx context.Context, r *pb.RecoverRequest) (*pb.ActionResponse, error) {
	a, err := actOf(ctx, r.GetAct(), r)
	if err != nil {
		return nil, err
	}
	if r.GetOrderId() == "" && r.GetChargeId() == "" && strings.TrimSpace(r.GetEmail()) == "" {
		return nil, apperr.Invalid("target", "name an order, a charge or an address")
	}
	return actionReply(s.Service.Recover(ctx, a, service.Target{OrderID: r.GetOrderId(), ChargeID: r.GetChargeId(), Email: strings.TrimSpace(r.GetEmail())}))
}

// AdoptCharge implements reconciliation.v1.
func (s *SupportServer) AdoptCharge(ctx context.Context, r *pb.AdoptChargeRequest) (*pb.ActionResponse, error) {
	a, err := actOf(ctx, r.GetAct(), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.AdoptCharge(ctx, a, r.GetChargeId(), service.Buyer{Email: strings.TrimSpace(r.GetEmail()), Name: strings.TrimSpace(r.GetName()), PlanID: r.GetPlanId()}))
}

// ResendMessage implements reconciliation.v1.
func (s *SupportServer) ResendMessage(ctx context.Context, r *pb.ResendMessageRequest) (*pb.ActionResponse, error) {
	a, err := actOf(ctx, r.GetAct(), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.ResendMessage(ctx, a, r.GetOrderId()))
}

// Refund implements reconciliation.v1.
func (s *SupportServer) Refund(ctx context.Context, r *pb.RefundRequest) (*pb.ActionResponse, error) {
	a, err := actOf(ctx, r.GetAct(), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.Refund(ctx, a, r.GetOrderId(), r.GetAmountMinor(), r.GetChargeId()))
}

// SendHooksAgain implements reconciliation.v1.
func (s *SupportServer) SendHooksAgain(ctx context.Context, r *pb.SendHooksAgainRequest) (*pb.ActionResponse, error) {
	a, err := actOf(ctx, r.GetAct(), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.SendHooksAgain(ctx, a, service.Hooks{AccountID: r.GetAccountId(), Since: r.GetSince().AsTime(), Undelivered: r.GetUndelivered()}))
}

// ListAudit implements reconciliation.v1.
func (s *SupportServer) ListAudit(ctx context.Context, r *pb.ListAuditRequest) (*pb.ListAuditResponse, error) {
	before, err := parseAuditToken(r.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := pageSize(r.GetPageSize())
	list, err := s.Service.ListAudit(ctx, r.GetActor(), r.GetSubject(), before, size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListAuditResponse{}
	if len(list) > size {
		list = list[:size]
		out.NextPageToken = auditToken(list[size-1].Asked.ID)
	}
	for _, e := range list {
		out.Entries = append(out.Entries, toEntry(e))
	}
	return out, nil
}

func toEntry(e desk.Entry) *pb.AuditEntry {
	a := e.Asked
	out := &pb.AuditEntry{
		Id: a.ID, At: timestamppb.New(a.At), Actor: a.Act.Actor, Role: a.Act.Role, Action: a.Act.Action, Subject: a.Subjects[0], Subjects: a.Subjects,
		Reason: a.Act.Reason, BeforeJson: string(a.Stood), IdempotencyKey: a.Act.Key.String(), Outcome: pb.AuditEntry_ASKED,
	}
	if ended := e.Ended; ended.What != "" {
		out.Outcome = pb.AuditEntry_Outcome(pb.AuditEntry_Outcome_value[ended.What])
		out.EndedAt, out.Error, out.AfterJson, out.Subjects = timestamppb.New(ended.At), ended.Error, string(ended.Stood), ended.Subjects
		out.Steps = toSteps(ended.Steps)
	}
	return out
}
