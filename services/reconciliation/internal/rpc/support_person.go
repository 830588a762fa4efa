package rpc

import (
	"context"
	"strings"

	pb "makegood.example/proto/gen/reconciliation/v1"
)

// ExportPerson implements reconciliation.v1.
func (s *SupportServer) ExportPerson(ctx context.Context, r *pb.ExportPersonRequest) (*pb.ExportPersonResponse, error) {
	a, err := actOf(ctx, r.GetAct(), r)
	if err != nil {
		return nil, err
	}
	e, err := s.Service.ExportPerson(ctx, a, strings.TrimSpace(r.GetEmail()))
	if err != nil {
		return nil, err
	}
	return &pb.ExportPersonResponse{Json: e.JSON, Steps: toSteps(e.Steps), AuditId: e.AuditID}, nil
}

// ErasePerson implements reconciliation.v1.
func (s *SupportServer) ErasePerson(ctx context.Context, r *pb.ErasePersonRequest) (*pb.ActionResponse, error) {
	a, err := actOf(ctx, r.GetAct(), r)
	if err != nil {
		return nil, err
	}
	return actionReply(s.Service.ErasePerson(ctx, a, strings.TrimSpace(r.GetEmail()), r.GetAccessGoesOn()))
}
