// Package rpc is Provisioning on the wire: protobuf to domain and back, and who
// may call.
package rpc

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/provisioning/internal/grant"
	"makegood.example/services/provisioning/internal/service"
)

// Server implements the generated server.
type Server struct {
	pb.UnimplementedProvisioningServiceServer
	Service *service.Service
}

// CheckBuyer implements provisioning.v1.
func (s *Server) CheckBuyer(ctx context.Context, r *pb.CheckBuyerRequest) (*pb.CheckBuyerResponse, error) {
	id, err := parseID("account_id", r.GetAccountId())
	if err != nil {
		return nil, err
	}
	if err := s.Service.CheckBuyer(ctx, id); err != nil {
		return nil, err
	}
	return &pb.CheckBuyerResponse{}, nil
}

// FindAccount implements provisioning.v1.
func (s *Server) FindAccount(ctx context.Context, r *pb.FindAccountRequest) (*pb.FindAccountResponse, error) {
	var found grant.Found
	var err error
	switch {
	case r.GetAccountId() != "":
		var id uuid.UUID
		if id, err = parseID("account_id", r.GetAccountId()); err == nil {
			found, err = s.Service.FindAccountByID(ctx, id)
		}
	case r.GetEmail() != "":
		found, err = s.Service.FindAccount(ctx, r.GetEmail())
	default:
		err = apperr.Invalid("email", "is needed, or account_id")
	}
	if err != nil {
		return nil, err
	}
	return &pb.FindAccountResponse{AccountId: found.ID.String(), Verified: found.Verified, Email: found.Email}, nil
}

// GrantAccess implements provisioning.v1.
func (s *Server) GrantAccess(ctx context.Context, r *pb.GrantAccessRequest) (*pb.Grant, error) {
	orderID, err := parseID("order_id", r.GetOrderId())
	if err != nil {
		return nil, err
	}
	p := service.Purchase{
		OrderID: orderID, Email: r.GetEmail(), Name: r.GetName(),
		PlanID: r.GetPlanId(), TermMonths: int(r.GetTermMonths()), SubscriptionID: r.GetSubscriptionId(),
	}
	if p.Period, err = period(r.GetPeriodStart(), r.GetPeriodEnd()); err != nil {
		return nil, err
	}
	if r.GetAccountId() != "" {
		id, err := uuid.Parse(r.GetAccountId())
		if err != nil {
			return nil, grant.ErrBuyerUnknown // accounts have UUIDs, so nobody has this one
		}
		p.AccountID = &id
	}
	p.Again = r.GetAgain()
	if r.GetAccountOrderId() != "" {
		if p.AccountOrderID, err = parseID("account_order_id", r.GetAccountOrderId()); err != nil {
			return nil, err
		}
	}
	g, now, err := s.Service.GrantAccess(ctx, p)
	out, err := answer(g, err)
	if err != nil {
		return nil, err
	}
	out.GrantedNow = now && p.Again
	return out, nil
}

// MatchGrants implements provisioning.v1.
func (s *Server) MatchGrants(ctx context.Context, r *pb.MatchGrantsRequest) (*pb.MatchGrantsResponse, error) {
	ids := make([]uuid.UUID, len(r.GetOrderIds()))
	for i, text := range r.GetOrderIds() {
		var err error
		if ids[i], err = parseID("order_ids", text); err != nil {
			return nil, err
		}
	}
	grants, position, err := s.Service.MatchGrants(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := &pb.MatchGrantsResponse{HistoryPosition: position}
	for _, g := range grants {
		found, _ := answer(g, nil)
		out.Grants = append(out.Grants, found)
	}
	return out, nil
}

// RevokeAccess implements provisioning.v1.
func (s *Server) RevokeAccess(ctx context.Context, r *pb.RevokeAccessRequest) (*pb.Grant, error) {
	orderID, err := parseID("order_id", r.GetOrderId())
	if err != nil {
		return nil, err
	}
	return answer(s.Service.RevokeAccess(ctx, orderID))
}

// RestoreAccess implements provisioning.v1.
func (s *Server) RestoreAccess(ctx context.Context, r *pb.RestoreAccessRequest) (*pb.Grant, error) {
	orderID, err := parseID("order_id", r.GetOrderId())
	if err != nil {
		return nil, err
	}
	return answer(s.Service.RestoreAccess(ctx, orderID))
}

// FollowSubscription implements provisioning.v1.
func (s *Server) FollowSubscription(ctx context.Context, r *pb.FollowSubscriptionRequest) (*pb.FollowSubscriptionResponse, error) {
	orderID, err := parseID("order_id", r.GetOrderId())
	if err != nil {
		return nil, err
	}
	observedAt, err := moment("observed_at", r.GetObservedAt())
	if err != nil {
		return nil, err
	}
	seen := grant.Subscription{
		ID: r.GetSubscriptionId(), OrderID: orderID, Status: statuses[r.GetStatus()],
		Renews: r.GetRenews(), ObservedAt: observedAt, Again: r.GetAgain(),
	}
	for _, id := range r.GetPaidSinceOrderIds() {
		paid, err := parseID("paid_since_order_ids", id)
		if err != nil {
			return nil, err
		}
		seen.PaidSince = append(seen.PaidSince, paid)
	}
	until, err := s.Service.FollowSubscription(ctx, seen)
	if err != nil {
		return nil, err
	}
	out := &pb.FollowSubscriptionResponse{}
	if until != nil {
		out.AccessUntil = timestamppb.New(*until)
	}
	return out, nil
}

// CheckAccess implements provisioning.v1.
func (s *Server) CheckAccess(ctx context.Context, r *pb.CheckAccessRequest) (*pb.CheckAccessResponse, error) {
	id, err := parseID("account_id", r.GetAccountId())
	if err != nil {
		return nil, err
	}
	active, until, err := s.Service.CheckAccess(ctx, id)
	if err != nil {
		return nil, err
	}
	out := &pb.CheckAccessResponse{AccountId: id.String(), Active: active}
	if until != nil {
		out.AccessUntil = timestamppb.New(*until)
	}
	return out, nil
}

// CreateSignInLink implements provisioning.v1.
func (s *Server) CreateSignInLink(ctx context.Context, r *pb.CreateSignInLinkRequest) (*pb.CreateSignInLinkResponse, error) {
	orderID, err := parseID("order_id", r.GetOrderId())
	if err != nil {
		return nil, err
	}
	link, err := s.Service.CreateSignInLink(ctx, orderID)
	if err != nil {
		return nil, err
	}
	out := &pb.CreateSignInLinkResponse{Kind: pb.CreateSignInLinkResponse_LOGIN, Url: link.URL}
	if link.Activation {
		out.Kind = pb.CreateSignInLinkResponse_ACTIVATION
		out.ExpiresAt = timestamppb.New(link.ExpiresAt)
	}
	return out, nil
}

// RedeemActivation implements provisioning.v1.
func (s *Server) RedeemActivation(ctx context.Context, r *pb.RedeemActivationRequest) (*pb.RedeemActivationResponse, error) {
	a, err := s.Service.RedeemActivation(ctx, r.GetToken())
	if err != nil {
		return nil, err
	}
	return &pb.RedeemActivationResponse{AccountId: a.ID.String(), Email: a.Email, Name: a.Name}, nil
}
