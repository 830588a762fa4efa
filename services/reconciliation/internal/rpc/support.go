package rpc

import (
	"context"

	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/service"
)

// SupportServer implements the desk of the people who answer customers.
type SupportServer struct {
	pb.UnimplementedSupportServiceServer
	Service *service.Service
	// Shell is how the people reach it from one.
	Shell desk.Shell
}

// WhoAmI implements reconciliation.v1.
func (s *SupportServer) WhoAmI(ctx context.Context, _ *pb.WhoAmIRequest) (*pb.WhoAmIResponse, error) {
	id := access.From(ctx)
	return &pb.WhoAmIResponse{Actor: id.Actor, Role: id.Role}, nil
}
