package rpc

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/reconciliation/internal/cases"
)

// GetCase implements reconciliation.v1.
func (s *Server) GetCase(ctx context.Context, r *pb.GetCaseRequest) (*pb.Case, error) {
	return answerCase(s.Service.Case(ctx, r.GetCaseId()))
}

func answerCase(c cases.Case, err error) (*pb.Case, error) {
	if err != nil {
		return nil, err
	}
	return toCase(c), nil
}

func toCase(c cases.Case) *pb.Case {
	out := &pb.Case{
		Id: c.ID, Kind: pb.Case_Kind(pb.Case_Kind_value[string(c.Kind)]), Subject: c.Subject,
		State: pb.Case_State(pb.Case_State_value[string(c.State)]), Summary: c.Summary,
		OpenedAt: timestamppb.New(c.OpenedAt), ResolvedAt: toTimestamp(c.ResolvedAt),
		ReportedCount: int32(c.ReportedCount), LastReportedAt: timestamppb.New(c.LastReportedAt),
		ClaimedBy: c.ClaimedBy, ClaimedAt: toTimestamp(c.ClaimedAt), SnoozedUntil: toTimestamp(c.SnoozedUntil),
		WaitingSince: toTimestamp(c.WaitingSince), ResolvedBy: c.ResolvedBy, Resolution: c.Resolution,
		AcknowledgedBy: c.AcknowledgedBy, AcknowledgedAt: toTimestamp(c.AcknowledgedAt), Version: c.Version,
	}
	for _, e := range c.Events {
		out.Events = append(out.Events, &pb.CaseEvent{What: e.What, Actor: e.Actor, Note: e.Note, At: timestamppb.New(e.At)})
	}
	return out
}
