package rpc

import (
	"context"
	"strings"

	"github.com/google/uuid"

	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/desk"
)

// Reply implements reconciliation.v1.
func (s *SupportServer) Reply(ctx context.Context, r *pb.ReplyRequest) (*pb.ReplyResponse, error) {
	if r.GetOrderId() != "" {
		if _, err := uuid.Parse(r.GetOrderId()); err != nil {
			return nil, apperr.Invalid("order_id", "is not a UUID")
		}
	} else if r.GetTemplate() != pb.ReplyRequest_NOT_FOUND {
		return nil, apperr.Invalid("order_id", "only NOT_FOUND is about no order")
	}
	a, err := actOf(ctx, r.GetAct(), r)
	if err != nil {
		return nil, err
	}
	reply, err := s.Service.Reply(ctx, a, desk.Ask{
		Template: desk.Template(r.GetTemplate().String()), OrderID: strings.ToLower(r.GetOrderId()), To: strings.TrimSpace(r.GetTo()),
		Subject: r.GetSubject(), SignedBy: r.GetSignedBy(),
	}, r.GetInReplyTo(), r.GetSend())
	if err != nil {
		return nil, err
	}
	return &pb.ReplyResponse{To: reply.To, Subject: reply.Subject, Text: reply.Text, Queued: reply.Queued}, nil
}
