package provisioning_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "makegood.example/proto/gen/provisioning/v1"
)

func TestRefundOfTheFirstTermMovesTheOthersForward(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2027-02-28T10:00:00Z"))
	a, b, c := r.grant(nil), r.grant(nil), r.grant(nil)
	r.clock.Set(at(t, "2028-02-29T10:00:00Z")) // b has run for a day
	r.revoke(a)
	r.wantTerm(b, "2028-02-28T10:00:00Z", "2029-02-28T10:00:00Z")

	// b began; what is left of it goes, and c starts on the leap day.
	revoked := r.revoke(b)
	if got := revoked.GetRevokedAt().AsTime(); !got.Equal(r.clock.Now()) {
		t.Errorf("revoked at %s", got)
	}
	r.wantTerm(c, "2028-02-29T10:00:00Z", "2029-02-28T10:00:00Z")

	r.clock.Set(r.clock.Now().Add(48 * time.Hour))
	if again := r.revoke(b); !proto.Equal(again, revoked) {
		t.Errorf("the second call answered\n%v, the first\n%v", again, revoked)
	}
	r.wantTerm(c, "2028-02-29T10:00:00Z", "2029-02-28T10:00:00Z")
	r.wantEvents(a, "GRANTED 2027-02-28 2028-02-28", "WITHDRAWN")
	r.wantEvents(b, "GRANTED 2028-02-28 2029-02-28", "WITHDRAWN 2028-02-29 2029-02-28")
	r.wantEvents(c, "GRANTED 2029-02-28 2030-02-28", "MOVED 2028-02-29 2029-02-28")
}

func TestRefundOfThreeTermsOneAfterTheOther(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2027-11-30T00:00:00Z"))
	month := func(req *pb.GrantAccessRequest) { req.TermMonths = 3 }
	a, b, c := r.grant(month), r.grant(month), r.grant(month)
	r.wantTerm(b, "2028-02-29T00:00:00Z", "2028-05-29T00:00:00Z")
	r.clock.Set(at(t, "2027-12-31T00:00:00Z"))
	r.revoke(a)
	r.wantTerm(b, "2027-12-31T00:00:00Z", "2028-03-31T00:00:00Z")
	r.wantTerm(c, "2028-03-31T00:00:00Z", "2028-06-30T00:00:00Z")
	r.wantAccess(a, true, "2028-06-30T00:00:00Z")
	r.revoke(b)
	r.wantAccess(a, true, "2028-03-31T00:00:00Z")
	r.revoke(c)
	r.wantAccess(a, false, "")
	if g := r.grant(nil); !g.GetStartsAt().AsTime().Equal(r.clock.Now()) {
		t.Errorf("with everything withdrawn the next term starts at %s", g.GetStartsAt().AsTime())
	}
}

func TestRefundOfALaterTermMovesOnlyWhatFollows(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2026-01-01T00:00:00Z"))
	a, b, c := r.grant(nil), r.grant(nil), r.grant(nil)
	r.clock.Set(at(t, "2026-06-01T00:00:00Z"))
	r.revoke(b)
	r.wantTerm(a, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
	r.wantTerm(c, "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z")
	r.wantAccess(a, true, "2028-01-01T00:00:00Z")
	r.wantEvents(a, "GRANTED 2026-01-01 2027-01-01")
}

func TestAnOrderWithdrawnBeforeItWasGrantedNeverIs(t *testing.T) {
	r := start(t)
	req := request(nil)
	mark := r.revoke(&pb.Grant{OrderId: req.GetOrderId()})
	if mark.GetRevokedAt() == nil || mark.GetAccountId() != "" || mark.GetStartsAt() != nil {
		t.Errorf("the answer without a grant: %v", mark)
	}
	r.clock.Set(r.clock.Now().Add(time.Hour))
	for what, again := range map[string]*pb.Grant{
		"RevokeAccess again": r.revoke(mark),
		"GrantAccess":        r.grant(func(q *pb.GrantAccessRequest) { proto.Merge(q, req) }),
	} {
		if !proto.Equal(again, mark) {
			t.Errorf("%s answered %v, want %v", what, again, mark)
		}
	}
	if n := r.count(`SELECT (SELECT count(*) FROM provisioning.accounts) + (SELECT count(*) FROM provisioning.grants)`); n != 0 {
		t.Errorf("%d rows of accounts and grants", n)
	}
	r.wantEvents(mark, "WITHDRAWN")

	// The dispute was won after all.
	_, err := r.as("orders").RestoreAccess(t.Context(), &pb.RestoreAccessRequest{OrderId: req.GetOrderId()})
	wantError(t, "RestoreAccess without a grant", err, codes.NotFound, "GRANT_NOT_FOUND")
	if g := r.grant(func(q *pb.GrantAccessRequest) { proto.Merge(q, req) }); g.GetRevokedAt() != nil || g.GetAccountId() == "" {
		t.Errorf("granted after the mark was lifted: %v", g)
	}
}

func TestGrantAndRevokeAtOnceEndWithdrawn(t *testing.T) {
	r := start(t)
	orders := r.as("orders")
	var wg sync.WaitGroup
	for round := range 50 {
		// Half of the orders are for one address, so that their accounts' locks meet.
		req := request(func(q *pb.GrantAccessRequest) {
			if round%2 == 0 {
				q.Email = uuid.NewString() + "@example.com"
			}
		})
		for range 2 {
			wg.Go(func() {
				if _, err := orders.GrantAccess(t.Context(), req); err != nil {
					t.Errorf("GrantAccess: %v", err)
				}
			})
			wg.Go(func() {
				if _, err := orders.RevokeAccess(t.Context(), &pb.RevokeAccessRequest{OrderId: req.GetOrderId()}); err != nil {
					t.Errorf("RevokeAccess: %v", err)
				}
			})
		}
	}
	wg.Wait()
	if n := r.count(`SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NULL`); n != 0 {
		t.Errorf("%d grants survived their withdrawal", n)
	}
	if n := r.count(`SELECT (SELECT count(*) FROM provisioning.grants) + (SELECT count(*) FROM provisioning.withdrawals)`); n != 50 {
		t.Errorf("%d withdrawn grants and marks, want one for each of 50 orders", n)
	}
	if n := r.count(`SELECT count(*) FROM provisioning.grant_events WHERE what = 'WITHDRAWN'`); n != 50 {
		t.Errorf("%d withdrawals in the history", n)
	}
}

func TestRefundsAndPurchasesAtOnceLeaveNoGap(t *testing.T) {
	r := start(t)
	var bought []*pb.Grant
	for range 10 {
		bought = append(bought, r.grant(nil))
	}
	orders := r.as("orders")
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if _, err := orders.GrantAccess(t.Context(), request(nil)); err != nil {
				t.Errorf("GrantAccess: %v", err)
			}
		})
		if i%2 == 0 {
			wg.Go(func() {
				if _, err := orders.RevokeAccess(t.Context(), &pb.RevokeAccessRequest{OrderId: bought[i].GetOrderId()}); err != nil {
					t.Errorf("RevokeAccess: %v", err)
				}
			})
		}
	}
	wg.Wait()
	r.wantAccess(bought[0], true, "2041-11-21T12:00:00.123456Z") // fifteen years are left
}

func TestARestoredTermIsAsLongAsWhatWasWithdrawn(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2026-01-01T00:00:00Z"))
	a, b := r.grant(nil), r.grant(nil)
	r.clock.Set(at(t, "2026-10-01T00:00:00Z"))
	r.revoke(a) // 92 days were left
	r.wantTerm(b, "2026-10-01T00:00:00Z", "2027-10-01T00:00:00Z")

	r.clock.Set(at(t, "2026-12-01T00:00:00Z"))
	restored := r.restore(a)
	r.wantTerm(a, "2027-10-01T00:00:00Z", "2028-01-01T00:00:00Z")
	r.wantAccess(a, true, "2028-01-01T00:00:00Z")
	r.clock.Set(at(t, "2026-12-02T00:00:00Z"))
	if again := r.restore(a); !proto.Equal(again, restored) {
		t.Errorf("the second call answered\n%v, the first\n%v", again, restored)
	}
	never := r.restore(b)
	if never.GetRevokedAt() != nil || !never.GetStartsAt().AsTime().Equal(at(t, "2026-10-01T00:00:00Z")) {
		t.Errorf("restoring what was not withdrawn gave %v", never)
	}

	// What was restored is withdrawn and restored again: it is a span of time now.
	r.revoke(a)
	r.revoke(b)
	r.clock.Set(at(t, "2030-06-01T00:00:00Z"))
	r.restore(a)
	r.wantTerm(a, "2030-06-01T00:00:00Z", "2030-09-01T00:00:00Z")
	r.wantEvents(a, "GRANTED 2026-01-01 2027-01-01", "WITHDRAWN 2026-10-01 2027-01-01", "RESTORED 2027-10-01 2028-01-01",
		"WITHDRAWN 2027-10-01 2028-01-01", "RESTORED 2030-06-01 2030-09-01")
}

func TestATermThatHadNotBegunIsRestoredInCalendarMonths(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2027-02-28T00:00:00Z"))
	a, b := r.grant(nil), r.grant(nil) // b is the year with the leap day
	r.revoke(b)
	r.clock.Set(at(t, "2029-03-01T00:00:00Z"))
	r.restore(b)
	r.wantTerm(b, "2029-03-01T00:00:00Z", "2030-03-01T00:00:00Z")

	// Nothing was left of a when it was withdrawn, so nothing comes back.
	r.revoke(a)
	r.restore(a)
	r.wantTerm(a, "2027-02-28T00:00:00Z", "2028-02-28T00:00:00Z")
	r.wantEvents(a, "GRANTED 2027-02-28 2028-02-28", "WITHDRAWN", "RESTORED")
}
