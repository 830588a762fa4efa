package provisioning_test

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/apperr"
)

func TestAGrantIsTheSameHoweverOftenItIsAskedFor(t *testing.T) {
	r := start(t)
	req := request(nil)
	orders := r.as("orders")
	first, err := orders.GrantAccess(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if !first.GetAccountCreated() || first.GetRevokedAt() != nil {
		t.Errorf("a new buyer's grant: %v", first)
	}
	if got, want := first.GetEndsAt().AsTime(), at(t, "2027-11-21T12:00:00.123456Z"); !got.Equal(want) {
		t.Errorf("ends at %s, want %s", got, want)
	}
	r.clock.Set(r.clock.Now().Add(time.Hour))
	again, err := orders.GrantAccess(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(first, again) {
		t.Errorf("the second call answered\n%v, the first\n%v", again, first)
	}
}

func TestALostDatabaseGivesTheSameAccountIDAgain(t *testing.T) {
	req := request(nil)
	ids := make(chan string, 2)
	for range cap(ids) {
		t.Run("a database of its own", func(t *testing.T) {
			g, err := start(t).as("orders").GrantAccess(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			ids <- g.GetAccountId()
		})
	}
	t.Cleanup(func() { // when both have ended
		if len(ids) == cap(ids) {
			if first, second := <-ids, <-ids; first != second {
				t.Errorf("account ids %s, %s", first, second)
			}
		}
	})
}

func TestFiftyCallsAtOnceForOneOrderMakeOneGrant(t *testing.T) {
	r := start(t)
	req := request(nil)
	grants := atOnce(t, r, slices.Repeat([]*pb.GrantAccessRequest{req}, 50))
	for _, g := range grants {
		if !proto.Equal(g, grants[0]) {
			t.Fatalf("different answers:\n%v\n%v", g, grants[0])
		}
	}
	if n := r.count(`SELECT count(*) FROM provisioning.grants`); n != 1 {
		t.Errorf("%d grants", n)
	}
	if n := r.count(`SELECT count(*) FROM provisioning.accounts`); n != 1 {
		t.Errorf("%d accounts", n)
	}
}

func TestOneOrderForTwoAddressesAtOnceLeavesOneAccount(t *testing.T) {
	r := start(t)
	order := uuid.NewString()
	var reqs []*pb.GrantAccessRequest
	for i := range 20 {
		reqs = append(reqs, request(func(req *pb.GrantAccessRequest) {
			req.OrderId, req.Email = order, []string{"jane@example.com", "joe@example.com"}[i%2]
		}))
	}
	grants := atOnce(t, r, reqs)
	for _, g := range grants {
		if !proto.Equal(g, grants[0]) {
			t.Fatalf("different answers:\n%v\n%v", g, grants[0])
		}
	}
	if n := r.count(`SELECT count(*) FROM provisioning.accounts`); n != 1 {
		t.Errorf("%d accounts", n)
	}
}

func TestTwentyOrdersAtOnceForOneAddressAreConsecutiveTerms(t *testing.T) {
	r := start(t)
	var reqs []*pb.GrantAccessRequest
	for range 20 {
		reqs = append(reqs, request(nil))
	}
	grants := atOnce(t, r, reqs)
	slices.SortFunc(grants, func(a, b *pb.Grant) int {
		return cmp.Compare(a.GetStartsAt().AsTime().UnixNano(), b.GetStartsAt().AsTime().UnixNano())
	})
	created := 0
	for i, g := range grants {
		if g.GetAccountCreated() {
			created++
		}
		if g.GetAccountId() != grants[0].GetAccountId() {
			t.Errorf("grant %d is for another account", i)
		}
		if i > 0 && !g.GetStartsAt().AsTime().Equal(grants[i-1].GetEndsAt().AsTime()) {
			t.Errorf("grant %d starts at %s, the one before ends at %s", i, g.GetStartsAt().AsTime(), grants[i-1].GetEndsAt().AsTime())
		}
	}
	if created != 1 {
		t.Errorf("%d orders say that they created the account", created)
	}
	if want := at(t, "2046-11-21T12:00:00.123456Z"); !grants[19].GetEndsAt().AsTime().Equal(want) {
		t.Errorf("twenty years end at %s, want %s", grants[19].GetEndsAt().AsTime(), want)
	}
}

func TestASecondPurchaseExtendsAndALateOneStartsNow(t *testing.T) {
	r := start(t)
	first := r.grant(nil)
	r.clock.Set(at(t, "2027-05-01T00:00:00Z"))
	early := r.grant(nil)
	if !early.GetStartsAt().AsTime().Equal(first.GetEndsAt().AsTime()) {
		t.Errorf("bought early, it starts at %s, not at %s", early.GetStartsAt().AsTime(), first.GetEndsAt().AsTime())
	}
	if early.GetAccountCreated() {
		t.Error("the second purchase says that it created the account")
	}
	r.clock.Set(at(t, "2031-05-01T00:00:00Z"))
	if late := r.grant(nil); !late.GetStartsAt().AsTime().Equal(r.clock.Now()) {
		t.Errorf("bought after the end, it starts at %s", late.GetStartsAt().AsTime())
	}
}

func TestARevokedTermIsNotExtended(t *testing.T) {
	r := start(t)
	r.revoke(r.grant(nil))
	if g := r.grant(nil); !g.GetStartsAt().AsTime().Equal(r.clock.Now().Truncate(time.Microsecond)) {
		t.Errorf("after a withdrawn term the next starts at %s", g.GetStartsAt().AsTime())
	}
}

func TestAYearFromTheLeapDay(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2028-02-29T10:00:00Z"))
	if got, want := r.grant(nil).GetEndsAt().AsTime(), at(t, "2029-02-28T10:00:00Z"); !got.Equal(want) {
		t.Errorf("ends at %s, want %s", got, want)
	}
}

func TestTheSameAddressInOtherCaseIsTheSameAccount(t *testing.T) {
	r := start(t)
	first := r.grant(func(req *pb.GrantAccessRequest) { req.Email, req.Name = " Jane@Example.com ", "Jane" })
	second := r.grant(func(req *pb.GrantAccessRequest) { req.Email, req.Name = "JANE@EXAMPLE.COM", "Somebody Else" })
	if first.GetAccountId() != second.GetAccountId() {
		t.Error("two accounts for one address")
	}
	var email, name string
	if err := r.owner.QueryRow(t.Context(), `SELECT email, name FROM provisioning.accounts`).Scan(&email, &name); err != nil {
		t.Fatal(err)
	}
	if email != "Jane@Example.com" || name != "Jane" {
		t.Errorf("the account was kept as %q, %q", email, name)
	}
}

func TestAnAccountByID(t *testing.T) {
	r := start(t)
	orders := r.as("orders")
	first := r.grant(nil)
	second := r.grant(func(req *pb.GrantAccessRequest) {
		req.AccountId, req.Email = first.GetAccountId(), "billing@example.com"
	})
	if second.GetAccountId() != first.GetAccountId() || second.GetAccountCreated() {
		t.Errorf("a purchase for account %s gave %v", first.GetAccountId(), second)
	}
	if _, err := orders.CheckBuyer(t.Context(), &pb.CheckBuyerRequest{AccountId: first.GetAccountId()}); err != nil {
		t.Errorf("CheckBuyer of an account that exists: %v", err)
	}

	_, checkErr := orders.CheckBuyer(t.Context(), &pb.CheckBuyerRequest{AccountId: uuid.NewString()})
	_, grantErr := orders.GrantAccess(t.Context(), request(func(req *pb.GrantAccessRequest) { req.AccountId = uuid.NewString() }))
	_, oddErr := orders.GrantAccess(t.Context(), request(func(req *pb.GrantAccessRequest) { req.AccountId = "customer-17" }))
	for what, err := range map[string]error{"CheckBuyer": checkErr, "GrantAccess": grantErr, "GrantAccess, no UUID": oddErr} {
		wantError(t, what, err, codes.InvalidArgument, "ACCOUNT_NOT_FOUND")
	}
	if n := r.count(`SELECT count(*) FROM provisioning.accounts`); n != 1 {
		t.Errorf("%d accounts", n)
	}
}

func atOnce(t *testing.T, r *running, reqs []*pb.GrantAccessRequest) []*pb.Grant {
	t.Helper()
	orders := r.as("orders")
	grants, errs := make([]*pb.Grant, len(reqs)), make([]error, len(reqs))
	var wg sync.WaitGroup
	for i, req := range reqs {
		wg.Go(func() { grants[i], errs[i] = orders.GrantAccess(t.Context(), req) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return grants
}

func wantError(t *testing.T, what string, err error, code codes.Code, reason string) {
	t.Helper()
	if e := apperr.Of(err); e == nil || e.Code != code || e.Reason != reason {
		t.Errorf("%s: %v, want %s %s", what, err, code, reason)
	}
}
