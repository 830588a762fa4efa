package provisioning_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	pb "makegood.example/proto/gen/provisioning/v1"
)

// An address is proven when a link that was mailed to it was opened; buying with
// it proves nothing.
func TestAnAddressIsProvenByItsActivationLink(t *testing.T) {
	r := start(t)
	payments := r.as("payments")
	_, err := payments.FindAccount(t.Context(), &pb.FindAccountRequest{Email: "jane@example.com"})
	wantError(t, "nobody", err, codes.NotFound, "ACCOUNT_NOT_FOUND")
	g := r.grant(func(q *pb.GrantAccessRequest) { q.Email = "Jane@Example.com" })
	find := func() *pb.FindAccountResponse {
		t.Helper()
		a, err := payments.FindAccount(t.Context(), &pb.FindAccountRequest{Email: " jane@EXAMPLE.com "})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := find(); a.GetAccountId() != g.GetAccountId() || a.GetVerified() {
		t.Errorf("just bought: %v", a)
	}
	l, err := r.as("notifications").CreateSignInLink(t.Context(), &pb.CreateSignInLinkRequest{OrderId: g.GetOrderId()})
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(l.GetUrl(), "token=")
	if _, err := r.as("gateway").RedeemActivation(r.app(), &pb.RedeemActivationRequest{Token: token}); err != nil {
		t.Fatal(err)
	}
	if a := find(); a.GetAccountId() != g.GetAccountId() || !a.GetVerified() {
		t.Errorf("the link was opened: %v", a)
	}
	byID, err := payments.FindAccount(t.Context(), &pb.FindAccountRequest{AccountId: g.GetAccountId()})
	if err != nil || byID.GetAccountId() != g.GetAccountId() || !byID.GetVerified() || byID.GetEmail() != "Jane@Example.com" {
		t.Errorf("by its id: %v, %v", byID, err)
	}
	_, err = payments.FindAccount(t.Context(), &pb.FindAccountRequest{AccountId: g.GetOrderId()})
	wantError(t, "an id of nothing", err, codes.NotFound, "ACCOUNT_NOT_FOUND")
	_, err = payments.FindAccount(t.Context(), &pb.FindAccountRequest{})
	wantError(t, "neither", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	_, err = r.as("gateway").FindAccount(t.Context(), &pb.FindAccountRequest{Email: "jane@example.com"})
	wantError(t, "the edge", err, codes.PermissionDenied, "PERMISSION_DENIED")
}
