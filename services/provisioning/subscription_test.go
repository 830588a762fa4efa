package provisioning_test

import (
	"fmt"
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

	// A renewal that was paid before the end but granted after it is over, too.
	late := r.term(sub, "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z")
	if late.GetRevokedAt() == nil {
		t.Errorf("a term of an ended subscription: %v", late)
	}
	// A refund of what ended takes nothing more, and a won dispute gives nothing.
	r.revoke(late)
	if g := r.restore(late); g.GetRevokedAt() == nil {
		t.Errorf("restored into a subscription that ended: %v", g)
	}
	r.wantEvents(late, "GRANTED 2027-02-01 2027-03-01", "ENDED 2027-02-01 2027-03-01", "WITHDRAWN", "RESTORED")

	// It was not over after all: unpaid, and now paid.
	r.clock.Set(at(t, "2027-02-02T00:00:00Z"))
	r.follow(sub, active, true)
	r.wantTerm(late, "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z")
	if n := r.count(`SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NOT NULL`); n != 0 {
		t.Errorf("%d grants stayed revoked", n)
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
	_, err := r.as("payments").FollowSubscription(t.Context(), req)
	wantError(t, "a first order without a grant", err, codes.NotFound, "GRANT_NOT_FOUND")

	// Refunded before it was granted: there never will be one, and a late
	// renewal of what is over gives nothing.
	r.revoke(unknown)
	if until := r.follow(unknown, ended, false); until != nil {
		t.Errorf("access until %s", until.AsTime())
	}
	late := r.term(unknown, "2026-11-21T12:00:00Z", "2026-12-21T12:00:00Z")
	r.wantAccess(late, false, "")

	// A first term that was granted without naming its subscription is one of it.
	plain := r.grant(nil)
	r.follow(plain, paused, true)
	r.wantAccess(plain, false, "")
}

// TestOldObservationsAfterNewerOnes plays created, updated, updated, deleted in
// every order, each twice, at different times and in the same second.
func TestOldObservationsAfterNewerOnes(t *testing.T) {
	r := start(t)
	r.clock.Set(at(t, "2027-01-10T00:00:00Z"))
	type seen struct {
		status pb.FollowSubscriptionRequest_Status
		renews bool
		at     string
	}
	for name, story := range map[string]struct {
		seen   []seen
		active bool
		want   string
	}{
		"deleted": {[]seen{
			{active, true, "2027-01-01T00:00:00Z"}, {pastDue, true, "2027-01-02T00:00:00Z"},
			{active, true, "2027-01-03T00:00:00Z"}, {ended, false, "2027-01-04T00:00:00Z"},
		}, false, "ENDED false"},
		"deleted in the same second": {[]seen{
			{active, true, "2027-01-01T00:00:00Z"}, {active, false, "2027-01-01T00:00:00Z"},
			{pastDue, true, "2027-01-01T00:00:00Z"}, {ended, false, "2027-01-01T00:00:00Z"},
		}, false, "ENDED false"},
		"recovered": {[]seen{
			{active, true, "2027-01-01T00:00:00Z"}, {pastDue, true, "2027-01-01T00:00:00Z"},
			{paused, true, "2027-01-01T00:00:00Z"}, {active, true, "2027-01-01T00:00:01Z"},
		}, true, "ACTIVE true"},
		"canceled at the end of the period in the same second": {[]seen{
			{active, true, "2027-01-01T00:00:00Z"}, {active, true, "2027-01-01T00:00:01Z"},
			{active, false, "2027-01-01T00:00:01Z"}, {pastDue, true, "2027-01-01T00:00:00Z"},
		}, true, "ACTIVE false"},
	} {
		for _, order := range permutations(len(story.seen)) {
			g := r.grant(func(q *pb.GrantAccessRequest) {
				q.Email = uuid.NewString() + "@example.com"
				q.PeriodStart, q.PeriodEnd = ts(t, "2027-01-01T00:00:00Z"), ts(t, "2027-02-01T00:00:00Z")
			})
			for _, i := range append(order, order[0]) { // the first comes again at last
				s := story.seen[i]
				r.followAt(g, s.status, s.renews, at(t, s.at))
			}
			var got string
			if err := r.owner.QueryRow(t.Context(), `SELECT concat_ws(' ', status, renews::text, grace_until::text)
				FROM provisioning.subscriptions WHERE subscription_id = $1`, subscription(g)).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if got != story.want {
				t.Errorf("%s, in the order %v: %s, want %s", name, order, got, story.want)
			}
			until := ""
			if story.active {
				until = "2027-02-01T00:00:00Z"
			}
			r.wantAccess(g, story.active, until)
		}
	}
}

// follow tells how g's subscription stands now.
func (r *running) follow(g *pb.Grant, status pb.FollowSubscriptionRequest_Status, renews bool) *timestamppb.Timestamp {
	r.t.Helper()
	return r.followAt(g, status, renews, r.clock.Now())
}

func (r *running) followAt(g *pb.Grant, status pb.FollowSubscriptionRequest_Status, renews bool, seenAt time.Time) *timestamppb.Timestamp {
	r.t.Helper()
	a, err := r.as("payments").FollowSubscription(r.t.Context(), &pb.FollowSubscriptionRequest{
		SubscriptionId: subscription(g), OrderId: g.GetOrderId(), Status: status, Renews: renews, ObservedAt: timestamppb.New(seenAt),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return a.GetAccessUntil()
}

// term grants a paid period of first's subscription; of a new one without first.
func (r *running) term(first *pb.Grant, starts, ends string) *pb.Grant {
	r.t.Helper()
	return r.grant(func(q *pb.GrantAccessRequest) {
		if first == nil {
			first = &pb.Grant{OrderId: q.GetOrderId()}
		}
		q.SubscriptionId, q.TermMonths = subscription(first), 1
		q.PeriodStart, q.PeriodEnd = ts(r.t, starts), ts(r.t, ends)
	})
}

// subscription is the id of the subscription that g is the first term of.
func subscription(g *pb.Grant) string { return fmt.Sprintf("sub_%s", g.GetOrderId()) }

func ts(t *testing.T, s string) *timestamppb.Timestamp {
	t.Helper()
	return timestamppb.New(at(t, s))
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for i := range n {
			q := append(append(append([]int{}, p[:i]...), n-1), p[i:]...)
			all = append(all, q)
		}
	}
	return all
}
