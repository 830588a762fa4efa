package provisioning_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	pb "makegood.example/proto/gen/provisioning/v1"
)

func TestGrantsAreMatchedByThePage(t *testing.T) {
	r := start(t)
	var ids []string
	for i := range 3 {
		g := r.grant(func(q *pb.GrantAccessRequest) { q.Email = uuid.NewString() + "@example.com" })
		ids = append(ids, g.GetOrderId())
		if i == 1 {
			if _, err := r.as("orders").RevokeAccess(t.Context(), &pb.RevokeAccessRequest{OrderId: g.GetOrderId()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	marked, unknown := uuid.NewString(), uuid.NewString()
	if _, err := r.as("orders").RevokeAccess(t.Context(), &pb.RevokeAccessRequest{OrderId: marked}); err != nil {
		t.Fatal(err)
	}
	got, err := r.as("reconciliation").MatchGrants(t.Context(), &pb.MatchGrantsRequest{OrderIds: append(slices.Clone(ids), marked, unknown)})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*pb.Grant{}
	for _, g := range got.GetGrants() {
		found[g.GetOrderId()] = g
	}
	if len(got.GetGrants()) != 4 || found[unknown] != nil {
		t.Errorf("found %v", got.GetGrants())
	}
	if g := found[ids[0]]; g.GetAccountId() == "" || g.GetEndsAt() == nil || g.GetRevokedAt() != nil || !g.GetAccountCreated() {
		t.Errorf("a grant: %v", g)
	}
	if found[ids[1]].GetRevokedAt() == nil {
		t.Error("a withdrawn grant looks active")
	}
	if g := found[marked]; g.GetRevokedAt() == nil || g.GetAccountId() != "" || g.GetEndsAt() != nil {
		t.Errorf("a mark: %v", g)
	}
	if want := r.count(`SELECT max(id) FROM provisioning.grant_events`); got.GetHistoryPosition() != int64(want) {
		t.Errorf("position %d, want %d", got.GetHistoryPosition(), want)
	}
}

// TestALostDatabaseIsRebuiltAsItWas: a buyer with two terms one after the other,
// whose grants and account are gone, gets both terms again on the same account,
// the later term first.
func TestALostDatabaseIsRebuiltAsItWas(t *testing.T) {
	r := start(t)
	first := r.grant(func(q *pb.GrantAccessRequest) { q.Email = "jane@example.com" })
	second := r.grant(func(q *pb.GrantAccessRequest) { q.Email = "Jane@example.com" })
	for _, table := range []string{"activations", "grants", "grant_events", "hooks", "app_access", "accounts"} {
		if _, err := r.owner.Exec(t.Context(), "DELETE FROM provisioning."+table); err != nil {
			t.Fatal(err)
		}
	}
	again := func(g *pb.Grant) *pb.Grant {
		t.Helper()
		return r.grant(func(q *pb.GrantAccessRequest) {
			q.OrderId, q.Email, q.Again, q.AccountOrderId = g.GetOrderId(), "jane@example.com", true, first.GetOrderId()
			q.PeriodStart, q.PeriodEnd = g.GetStartsAt(), g.GetEndsAt()
		})
	}
	for _, was := range []*pb.Grant{second, first} {
		is := again(was)
		if !is.GetGrantedNow() || is.GetAccountId() != was.GetAccountId() || is.GetAccountCreated() != was.GetAccountCreated() ||
			!is.GetStartsAt().AsTime().Equal(was.GetStartsAt().AsTime()) || !is.GetEndsAt().AsTime().Equal(was.GetEndsAt().AsTime()) {
			t.Errorf("given again: %v, it was %v", is, was)
		}
		if again(was).GetGrantedNow() {
			t.Error("what is there was given again")
		}
	}
	// What follows still moves forward when the first is refunded.
	if _, err := r.as("orders").RevokeAccess(t.Context(), &pb.RevokeAccessRequest{OrderId: first.GetOrderId()}); err != nil {
		t.Fatal(err)
	}
	if moved := again(second); !moved.GetStartsAt().AsTime().Before(second.GetStartsAt().AsTime()) {
		t.Errorf("the second term stays at %v", moved.GetStartsAt().AsTime())
	}
}
