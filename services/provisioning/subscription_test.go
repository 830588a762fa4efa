package provisioning_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/provisioning/v1"
)

const (
	active  = pb.FollowSubscriptionRequest_ACTIVE
	pastDue = pb.FollowSubscriptionRequest_PAST_DUE
	paused  = pb.FollowSubscriptionRequest_PAUSED
	ended   = pb.FollowSubscriptionRequest_ENDED
)

func TestAPeriodIsGrantedExactly(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2027-01-01T00:00:00Z"))
	year := r.grant(nil)
	req := request(func(q *pb.GrantAccessRequest) {
		q.PeriodStart, q.PeriodEnd = ts(t, "2027-01-31T08:00:00Z"), ts(t, "2027-02-28T08:00:00Z")
		q.SubscriptionId = "sub_1"
	})
	for range 2 {
		if _, err := r.as("orders").GrantAccess(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	sub := &pb.Grant{OrderId: req.GetOrderId(), AccountId: year.GetAccountId()}
	r.wantTerm(sub, "2027-01-31T08:00:00Z", "2027-02-28T08:00:00Z")
	r.wantAccess(year, true, "2028-01-01T00:00:00Z")

	// Withdrawing the year moves no paid period: nobody has access until it begins.
	r.clock.Set(at(t, "2027-01-02T00:00:00Z"))
	r.revoke(year)
	r.wantTerm(sub, "2027-01-31T08:00:00Z", "2027-02-28T08:00:00Z")
	r.wantAccess(year, false, "")

	for field, q := range map[string]*pb.GrantAccessRequest{
		"period_end":   {PeriodStart: ts(t, "2027-01-31T08:00:00Z")},
		"period_start": {PeriodEnd: ts(t, "2027-01-31T08:00:00Z")},
		"an empty one": {PeriodStart: ts(t, "2027-01-31T08:00:00Z"), PeriodEnd: ts(t, "2027-01-31T08:00:00Z")},
		"no time":      {PeriodStart: ts(t, "2027-01-31T08:00:00Z"), PeriodEnd: &timestamppb.Timestamp{Seconds: 1 << 60}},
	} {
		_, err := r.as("orders").GrantAccess(t.Context(), request(func(req *pb.GrantAccessRequest) {
			req.PeriodStart, req.PeriodEnd = q.PeriodStart, q.PeriodEnd
		}))
		wantError(t, field, err, codes.InvalidArgument, "INVALID_ARGUMENT")
	}
}

// TestTwoYearsOfASubscription is one subscriber's monthly life.
func TestTwoYearsOfASubscription(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2026-01-31T09:00:00Z"))
	first := r.term(nil, "2026-01-31T09:00:00Z", "2026-02-28T09:00:00Z")
	r.follow(first, active, true)
	r.wantAccess(first, true, "2026-02-28T09:00:00Z")

	// A renewal is paid some time after the term: access does not blink.
	r.clock.Set(at(t, "2026-02-28T10:00:00Z"))
	r.wantAccess(first, true, "2026-03-07T09:00:00Z")
	r.term(first, "2026-02-28T09:00:00Z", "2026-03-31T09:00:00Z")
	r.wantAccess(first, true, "2026-03-31T09:00:00Z")

	// Past due within grace, which repeats do not renew; then recovered.
	r.clock.Set(at(t, "2026-03-31T10:00:00Z"))
	r.follow(first, pastDue, true)
	r.wantAccess(first, true, "2026-04-07T10:00:00Z")
	r.clock.Set(at(t, "2026-04-03T10:00:00Z"))
	r.follow(first, pastDue, true)
	r.wantAccess(first, true, "2026-04-07T10:00:00Z")
	r.clock.Set(at(t, "2026-04-03T10:00:01Z"))
	r.term(first, "2026-03-31T09:00:00Z", "2026-04-30T09:00:00Z")
	r.follow(first, active, true)
	r.wantAccess(first, true, "2026-04-30T09:00:00Z")

	// Past due beyond grace, recovered late.
	r.clock.Set(at(t, "2026-04-30T10:00:00Z"))
	r.follow(first, pastDue, true)
	r.clock.Set(at(t, "2026-05-07T10:00:00Z"))
	r.follow(first, pastDue, true)
	r.wantAccess(first, false, "2026-05-07T10:00:00Z")
	r.clock.Set(at(t, "2026-05-20T10:00:00Z"))
	r.term(first, "2026-04-30T09:00:00Z", "2026-05-31T09:00:00Z")
	r.follow(first, active, true)
	r.wantAccess(first, true, "2026-05-31T09:00:00Z")

	// Paused in the middle of a term, and resumed.
	r.clock.Set(at(t, "2026-05-31T11:00:00Z"))
	r.term(first, "2026-05-31T09:00:00Z", "2027-05-31T09:00:00Z") // now yearly
	r.follow(first, active, true)
	r.clock.Set(at(t, "2026-08-01T00:00:00Z"))
	if until := r.follow(first, paused, true); until != nil {
		t.Errorf("paused, with access until %s", until.AsTime())
	}
	r.wantAccess(first, false, "")
	r.clock.Set(at(t, "2026-10-01T00:00:00Z"))
	if until := r.follow(first, active, true); !until.AsTime().Equal(at(t, "2027-05-31T09:00:00Z")) {
		t.Errorf("resumed, with access until %s", until.AsTime())
	}

	// Canceled at the end of the period: it simply runs out.
	r.clock.Set(at(t, "2027-05-31T08:00:00Z"))
	r.follow(first, active, false)
	r.wantAccess(first, true, "2027-05-31T09:00:00Z")
	r.clock.Set(at(t, "2027-05-31T09:00:00Z"))
	r.wantAccess(first, false, "2027-05-31T09:00:00Z")
	r.follow(first, ended, false)
	r.wantAccess(first, false, "2027-05-31T09:00:00Z")

	// A second subscription is deleted in the middle of a term.
	r.clock.Set(at(t, "2027-09-01T00:00:00Z"))
	second := r.term(nil, "2027-09-01T00:00:00Z", "2027-10-01T00:00:00Z")
	r.follow(second, active, true)
	r.clock.Set(at(t, "2027-09-10T00:00:00Z"))
	r.follow(second, ended, true)
	r.wantAccess(first, false, "2027-05-31T09:00:00Z")
	r.wantEvents(second, "GRANTED 2027-09-01 2027-10-01", "ENDED 2027-09-10 2027-10-01")
	if n := r.count(`SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NOT NULL`); n != 1 {
		t.Errorf("%d revoked grants: past terms stay as they were", n)
	}
}

func TestEndingASubscriptionLeavesOtherOrdersTheirWholeTerm(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2027-01-01T00:00:00Z"))
	sub := r.term(nil, "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z")
	r.follow(sub, active, true)
	year := r.grant(nil)
	r.wantTerm(year, "2027-02-01T00:00:00Z", "2028-02-01T00:00:00Z")
	r.clock.Set(at(t, "2027-01-10T00:00:00Z"))
	r.follow(sub, ended, false)
	r.wantTerm(year, "2027-01-10T00:00:00Z", "2028-01-10T00:00:00Z")
	r.wantAccess(year, true, "2028-01-10T00:00:00Z")

	// A refund of what ended takes nothing more, and a won dispute gives nothing.
	r.revoke(sub)
	if g := r.restore(sub); g.GetRevokedAt() == nil {
		t.Errorf("restored into a subscription that ended: %v", g)
	}
	r.wantEvents(sub, "GRANTED 2027-01-01 2027-02-01", "ENDED 2027-01-10 2027-02-01", "WITHDRAWN", "RESTORED")

	// It was not over after all: unpaid, and now paid.
	r.clock.Set(at(t, "2027-02-02T00:00:00Z"))
	r.follow(sub, active, true)
	if n := r.count(`SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NOT NULL`); n != 0 {
		t.Errorf("%d grants stayed revoked", n)
	}
}

// The invoice of a subscription that is over can still be paid, and that of one
// that is unpaid brings it back: the term is given when its money is told, which
// is before how the subscription stands, and it stays.
func TestATermThatIsPaidWhenItsSubscriptionIsOver(t *testing.T) {
	for _, after := range []pb.FollowSubscriptionRequest_Status{ended, active} {
		t.Run("then "+after.String(), func(t *testing.T) {
			r := start(t)
			r.clock.Set(at(t, "2027-01-01T00:00:00Z"))
			sub := r.term(nil, "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z")
			r.follow(sub, active, true)
			r.clock.Set(at(t, "2027-02-20T00:00:00Z"))
			r.follow(sub, ended, false)
			late := r.term(sub, "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z")
			if late.GetRevokedAt() != nil {
				t.Errorf("the term was paid, and is withdrawn: %v", late)
			}
			for range 2 {
				r.clock.Set(r.clock.Now().Add(time.Second))
				if until := r.follow(sub, after, false); until == nil || !until.AsTime().Equal(at(t, "2027-03-01T00:00:00Z")) {
					t.Errorf("then %s: access until %v", after, until)
				}
			}
			r.wantAccess(sub, true, "2027-03-01T00:00:00Z")
			r.wantEvents(late, "GRANTED 2027-02-01 2027-03-01")
			r.revoke(late)
			r.wantAccess(sub, false, "2027-02-01T00:00:00Z")
		})
	}
}

// Both are first heard of in one look: the end takes what was paid before it, and
// leaves what was paid since, however often it is told.
func TestAnEndTakesOnlyTheTermsThatWerePaidBeforeIt(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2027-02-20T00:00:00Z"))
	sub := r.term(nil, "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z")
	late := r.term(sub, "2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z")
	for range 2 {
		a, err := r.as("orders").FollowSubscription(t.Context(), &pb.FollowSubscriptionRequest{
			SubscriptionId: subscription(sub), OrderId: sub.GetOrderId(), Status: ended,
			ObservedAt: timestamppb.New(r.clock.Now()), PaidSinceOrderIds: []string{late.GetOrderId()},
		})
		if err != nil || a.GetAccessUntil() != nil {
			t.Errorf("before the paid term began: access until %v, %v", a.GetAccessUntil(), err)
		}
		r.clock.Set(r.clock.Now().Add(time.Second))
	}
	r.wantEvents(sub, "GRANTED 2027-02-01 2027-03-01", "ENDED 2027-02-20 2027-03-01")
	r.wantEvents(late, "GRANTED 2027-03-01 2027-04-01")
	r.clock.Set(at(t, "2027-03-02T00:00:00Z"))
	r.wantAccess(sub, true, "2027-04-01T00:00:00Z")
}

// Grants that were lost come back one by one: the end that is told again after each
// takes what it had taken, and leaves what was paid since, in whichever order.
func TestAnEndThatIsToldAgainTakesWhatCameBack(t *testing.T) {
	for name, lateFirst := range map[string]bool{"as they were paid": false, "the late one first": true} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			r.clock.Set(at(t, "2027-03-20T00:00:00Z"))
			sub := r.term(nil, "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z")
			late := &pb.Grant{OrderId: uuid.NewString()}
			again := func() {
				_, err := r.as("orders").FollowSubscription(t.Context(), &pb.FollowSubscriptionRequest{
					SubscriptionId: subscription(sub), OrderId: sub.GetOrderId(), Status: ended, Again: true,
					ObservedAt: timestamppb.New(at(t, "2027-02-20T00:00:00Z")), PaidSinceOrderIds: []string{late.GetOrderId()},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			again()
			give := map[bool]func(){
				true: func() {
					r.grant(func(q *pb.GrantAccessRequest) {
						q.OrderId, q.SubscriptionId = late.GetOrderId(), subscription(sub)
						q.PeriodStart, q.PeriodEnd = ts(t, "2027-04-01T00:00:00Z"), ts(t, "2027-05-01T00:00:00Z")
					})
				},
				false: func() {
					taken := r.term(sub, "2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z")
					again()
					r.wantEvents(taken, "GRANTED 2027-03-01 2027-04-01", "ENDED 2027-03-20 2027-04-01")
				},
			}
			for _, first := range []bool{lateFirst, !lateFirst} {
				give[first]()
				again()
			}
			r.wantEvents(late, "GRANTED 2027-04-01 2027-05-01")
			r.wantAccess(sub, false, "2027-02-01T00:00:00Z")
			r.clock.Set(at(t, "2027-04-02T00:00:00Z"))
			r.wantAccess(sub, true, "2027-05-01T00:00:00Z")
		})
	}
}

func TestARefundedTermDoesNotComeBackAsGrace(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2027-02-01T00:00:00Z"))
	sub := r.term(nil, "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z")
	renewal := r.term(sub, "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z")
	r.follow(sub, active, true)
	r.clock.Set(at(t, "2027-02-02T00:00:00Z"))
	r.revoke(renewal)
	r.wantAccess(sub, false, "2027-02-01T00:00:00Z")
	r.follow(sub, pastDue, true)
	r.wantAccess(sub, false, "2027-02-01T00:00:00Z")
	r.restore(renewal)
	r.follow(sub, active, true)
	r.wantAccess(sub, true, "2027-03-01T00:00:00Z")
}

func TestAOneOffBoughtWhilePausedBeginsAtOnce(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2027-01-01T00:00:00Z"))
	sub := r.term(nil, "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z")
	r.follow(sub, paused, true)
	r.clock.Set(at(t, "2027-03-01T00:00:00Z"))
	year := r.grant(func(q *pb.GrantAccessRequest) { q.TermMonths = 1 })
	r.wantTerm(year, "2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z")
	r.wantAccess(sub, true, "2027-04-01T00:00:00Z")
}

func TestARenewalGoesToTheSubscribersAccount(t *testing.T) {
	r := start(t)
	sub := r.term(nil, "2026-11-21T12:00:00Z", "2026-12-21T12:00:00Z")
	renewal := r.grant(func(q *pb.GrantAccessRequest) {
		q.Email, q.SubscriptionId = "billing@example.com", subscription(sub)
		q.PeriodStart, q.PeriodEnd = ts(t, "2026-12-21T12:00:00Z"), ts(t, "2027-01-21T12:00:00Z")
	})
	if renewal.GetAccountId() != sub.GetAccountId() || renewal.GetAccountCreated() {
		t.Errorf("the renewal is %v, the first term %v", renewal, sub)
	}
}

func TestFollowingWithoutAGrant(t *testing.T) {
	r := start(t)
	unknown := &pb.Grant{OrderId: uuid.NewString()}
	req := &pb.FollowSubscriptionRequest{
		SubscriptionId: subscription(unknown), OrderId: unknown.GetOrderId(), Status: ended, ObservedAt: timestamppb.New(r.clock.Now()),
	}
	_, err := r.as("orders").FollowSubscription(t.Context(), req)
	wantError(t, "a first order without a grant", err, codes.NotFound, "GRANT_NOT_FOUND")

	// Refunded before it was granted: there never will be one. A later term that
	// was paid all the same is given.
	r.revoke(unknown)
	if until := r.follow(unknown, ended, false); until != nil {
		t.Errorf("access until %s", until.AsTime())
	}
	late := r.term(unknown, "2026-11-21T12:00:00Z", "2026-12-21T12:00:00Z")
	r.wantAccess(late, true, "2026-12-21T12:00:00Z")
	r.revoke(late)

	// A first term that was granted without naming its subscription is one of it.
	plain := r.grant(nil)
	r.follow(plain, paused, true)
	r.wantAccess(plain, false, "")
}

func TestRenewalAndEndAtOnce(t *testing.T) {
	r := start(t)
	orders := r.as("orders")
	var wg sync.WaitGroup
	for range 20 {
		first := r.grant(func(q *pb.GrantAccessRequest) {
			q.Email, q.SubscriptionId = uuid.NewString()+"@example.com", "sub_"+q.GetOrderId()
			q.PeriodStart, q.PeriodEnd = ts(t, "2026-11-01T00:00:00Z"), ts(t, "2026-12-01T00:00:00Z")
		})
		wg.Go(func() {
			if _, err := orders.FollowSubscription(t.Context(), &pb.FollowSubscriptionRequest{
				SubscriptionId: subscription(first), OrderId: first.GetOrderId(), Status: ended, ObservedAt: timestamppb.New(r.clock.Now()),
			}); err != nil {
				t.Errorf("FollowSubscription: %v", err)
			}
		})
		wg.Go(func() {
			if _, err := orders.GrantAccess(t.Context(), request(func(q *pb.GrantAccessRequest) {
				q.SubscriptionId = subscription(first)
				q.PeriodStart, q.PeriodEnd = ts(t, "2026-11-20T00:00:00Z"), ts(t, "2026-12-20T00:00:00Z")
			})); err != nil {
				t.Errorf("GrantAccess: %v", err)
			}
		})
		wg.Go(func() {
			if _, err := orders.RevokeAccess(t.Context(), &pb.RevokeAccessRequest{OrderId: first.GetOrderId()}); err != nil {
				t.Errorf("RevokeAccess: %v", err)
			}
		})
	}
	wg.Wait()
	// The end takes the terms that were given before it, and none that was paid after.
	if n := r.count(`SELECT count(*) FROM provisioning.grants WHERE starts_at = '2026-11-01' AND revoked_at IS NULL`); n != 0 {
		t.Errorf("%d first terms are not over", n)
	}
	if n := r.count(`
		SELECT count(*) FROM provisioning.grants g WHERE starts_at = '2026-11-20' AND (revoked_at IS NOT NULL) <> EXISTS (
			SELECT FROM provisioning.grant_events e WHERE e.order_id = g.order_id AND e.what = 'ENDED')`); n != 0 {
		t.Errorf("%d second terms are not as their history says", n)
	}
}
