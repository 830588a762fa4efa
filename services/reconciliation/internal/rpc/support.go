package rpc

import (
	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/reconciliation/internal/service"
)

// SupportServer implements the desk of the people who answer customers.
type SupportServer struct {
	pb.UnimplementedSupportServiceServer
	Service *service.Service
}
