package provisioning_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/pgtest"
	"makegood.example/services/provisioning"
)

func TestAccessLastsAsLongAsTheGrant(t *testing.T) {
	r := start(t)
	g := r.grant(nil)
	ask := func() *pb.CheckAccessResponse {
		t.Helper()
		a, err := r.as("gateway").CheckAccess(r.app(), &pb.CheckAccessRequest{AccountId: g.GetAccountId()})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	end := g.GetEndsAt().AsTime()
	if a := ask(); !a.GetActive() || !a.GetAccessUntil().AsTime().Equal(end) {
		t.Errorf("just bought: %v", a)
	}
	r.clock.Set(end.Add(-time.Microsecond))
	if !ask().GetActive() {
		t.Error("not active in the last moment")
	}
	r.clock.Set(end)
	if a := ask(); a.GetActive() || !a.GetAccessUntil().AsTime().Equal(end) {
		t.Errorf("at the end: %v", a)
	}
	r.clock.Set(end.Add(-time.Hour))
	r.revoke(g)
	if a := ask(); a.GetActive() || a.GetAccessUntil() != nil {
		t.Errorf("withdrawn: %v", a)
	}
	_, err := r.as("gateway").CheckAccess(r.app(), &pb.CheckAccessRequest{AccountId: uuid.NewString()})
	wantError(t, "an account that does not exist", err, codes.NotFound, "ACCOUNT_NOT_FOUND")
}

func TestOnlyTheOrderThatCreatedTheAccountGetsAnActivationLink(t *testing.T) {
	r := start(t)
	notifications := r.as("notifications")
	creator, other := request(nil), request(nil)
	for _, req := range []*pb.GrantAccessRequest{creator, other} {
		if _, err := r.as("orders").GrantAccess(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	link := func(order string) *pb.CreateSignInLinkResponse {
		t.Helper()
		l, err := notifications.CreateSignInLink(t.Context(), &pb.CreateSignInLinkRequest{OrderId: order})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	redeem := func(l *pb.CreateSignInLinkResponse) (*pb.RedeemActivationResponse, error) {
		token, ok := strings.CutPrefix(l.GetUrl(), "https://app.example.com/activate?token=")
		if !ok {
			t.Fatalf("the link is %s", l.GetUrl())
		}
		return r.as("gateway").RedeemActivation(r.app(), &pb.RedeemActivationRequest{Token: token})
	}

	if l := link(other.GetOrderId()); l.GetKind() != pb.CreateSignInLinkResponse_LOGIN || l.GetUrl() != "https://app.example.com/login" {
		t.Errorf("an order for an existing account got %v", l)
	}
	first, second := link(creator.GetOrderId()), link(creator.GetOrderId())
	if first.GetKind() != pb.CreateSignInLinkResponse_ACTIVATION || first.GetUrl() == second.GetUrl() {
		t.Errorf("two links of the order that created the account: %v, %v", first, second)
	}
	if got, want := first.GetExpiresAt().AsTime(), r.clock.Now().Truncate(time.Microsecond).Add(168*time.Hour); !got.Equal(want) {
		t.Errorf("the link expires at %s, want %s", got, want)
	}

	begun := r.clock.Now()
	r.clock.Set(first.GetExpiresAt().AsTime())
	_, err := redeem(first)
	wantError(t, "an expired link", err, codes.NotFound, "ACTIVATION_NOT_FOUND")
	r.clock.Set(begun)

	// Both links, ten times each, at once: one opens the account.
	var wg sync.WaitGroup
	var mu sync.Mutex
	var opened []*pb.RedeemActivationResponse
	for i := range 20 {
		l := []*pb.CreateSignInLinkResponse{first, second}[i%2]
		wg.Go(func() {
			a, err := redeem(l)
			if err != nil {
				wantError(t, "a spent link", err, codes.NotFound, "ACTIVATION_NOT_FOUND")
				return
			}
			mu.Lock()
			defer mu.Unlock()
			opened = append(opened, a)
		})
	}
	wg.Wait()
	if len(opened) != 1 || opened[0].GetEmail() != "jane@example.com" || opened[0].GetName() != "Jane" {
		t.Fatalf("opened %d times: %v", len(opened), opened)
	}
	if l := link(creator.GetOrderId()); l.GetKind() != pb.CreateSignInLinkResponse_LOGIN {
		t.Errorf("after activation the link is %v", l)
	}

	_, err = notifications.CreateSignInLink(t.Context(), &pb.CreateSignInLinkRequest{OrderId: uuid.NewString()})
	wantError(t, "an order without a grant", err, codes.NotFound, "GRANT_NOT_FOUND")
}

func TestNoTokenIsInTheDatabase(t *testing.T) {
	r := start(t)
	g := r.grant(nil)
	l, err := r.as("notifications").CreateSignInLink(t.Context(), &pb.CreateSignInLinkRequest{OrderId: g.GetOrderId()})
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(l.GetUrl(), "token=")
	if n := r.count(`SELECT count(*) FROM provisioning.activations WHERE token_hash = sha256($1::text::bytea)`, token); n != 1 {
		t.Errorf("%d rows with the token's SHA-256", n)
	}
	if n := r.count(`SELECT count(*) FROM provisioning.activations a WHERE position($1 IN a::text) > 0 OR position(encode($1::text::bytea, 'hex') IN a::text) > 0`, token); n != 0 {
		t.Error("the token itself is in the table")
	}
}

func TestOthersMayNotCall(t *testing.T) {
	r := start(t)
	_, err := r.as("gateway").GrantAccess(t.Context(), request(nil))
	wantError(t, "GrantAccess by the gateway", err, codes.PermissionDenied, "PERMISSION_DENIED")
	_, err = r.as("orders").CreateSignInLink(t.Context(), &pb.CreateSignInLinkRequest{OrderId: uuid.NewString()})
	wantError(t, "CreateSignInLink by orders", err, codes.PermissionDenied, "PERMISSION_DENIED")
	_, err = r.as("gateway").CheckAccess(t.Context(), &pb.CheckAccessRequest{AccountId: uuid.NewString()})
	wantError(t, "CheckAccess without a token", err, codes.Unauthenticated, "UNAUTHENTICATED")
	_, err = r.as("payments").RevokeAccess(t.Context(), &pb.RevokeAccessRequest{OrderId: uuid.NewString()})
	wantError(t, "RevokeAccess by payments", err, codes.PermissionDenied, "PERMISSION_DENIED")
	_, err = r.as("payments").RestoreAccess(t.Context(), &pb.RestoreAccessRequest{OrderId: uuid.NewString()})
	wantError(t, "RestoreAccess by payments", err, codes.PermissionDenied, "PERMISSION_DENIED")
	_, err = r.as("payments").FollowSubscription(t.Context(), &pb.FollowSubscriptionRequest{
		SubscriptionId: "sub_1", OrderId: uuid.NewString(), Status: active, ObservedAt: timestamppb.Now(),
	})
	wantError(t, "FollowSubscription by payments", err, codes.PermissionDenied, "PERMISSION_DENIED")
}

func TestTheRoleReachesNoOtherSchema(t *testing.T) {
	own := pgtest.New(t).Pool(t, "provisioning")
	var n int
	if err := own.QueryRow(t.Context(), `SELECT count(*) FROM provisioning.grants`).Scan(&n); err != nil {
		t.Errorf("its own schema: %v", err)
	}
	err := own.QueryRow(t.Context(), `SELECT count(*) FROM neighbour.secrets`).Scan(&n)
	if err == nil || !strings.Contains(err.Error(), "42501") { // insufficient_privilege
		t.Errorf("another service's schema: %v", err)
	}
	for _, change := range []string{`UPDATE provisioning.grant_events SET what = 'MOVED'`, `DELETE FROM provisioning.grant_events`} {
		if _, err := own.Exec(t.Context(), change); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("the history is not append-only: %s: %v", change, err)
		}
	}
	if _, err := own.Exec(t.Context(), `CREATE TABLE provisioning.mine (id int)`); err == nil {
		t.Error("the role may create tables")
	}
}

func TestLoadConfigListsEveryProblem(t *testing.T) {
	_, err := provisioning.LoadConfig(func(key string) (string, bool) {
		v, ok := map[string]string{"APP_URL": "app", "ACTIVATION_LASTS": "-1h", "GRACE_PERIOD": "a week", "PROVISIONING_GRPC_LISTEN": "0.0.0.0:9103"}[key]
		return v, ok
	})
	if err == nil {
		t.Fatal("bad settings were accepted")
	}
	for _, key := range []string{"PROVISIONING_DATABASE_URL", "APP_URL", "ACTIVATION_LASTS", "GRACE_PERIOD", "PROVISIONING_GRPC_LISTEN"} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not mentioned in: %v", key, err)
		}
	}
}
