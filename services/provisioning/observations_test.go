package provisioning_test

import (
	"testing"

	"github.com/google/uuid"

	pb "makegood.example/proto/gen/provisioning/v1"
)

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
