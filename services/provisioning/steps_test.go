package provisioning_test

// The steps that the tests of withdrawals and subscriptions are told in.

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/provisioning/v1"
)

func (r *running) revoke(g *pb.Grant) *pb.Grant {
	r.t.Helper()
	g, err := r.as("orders").RevokeAccess(r.t.Context(), &pb.RevokeAccessRequest{OrderId: g.GetOrderId()})
	if err != nil {
		r.t.Fatal(err)
	}
	return g
}

func (r *running) restore(g *pb.Grant) *pb.Grant {
	r.t.Helper()
	g, err := r.as("orders").RestoreAccess(r.t.Context(), &pb.RestoreAccessRequest{OrderId: g.GetOrderId()})
	if err != nil {
		r.t.Fatal(err)
	}
	return g
}

// wantTerm looks at the table that tools read.
func (r *running) wantTerm(g *pb.Grant, starts, ends string) {
	r.t.Helper()
	var gotStarts, gotEnds time.Time
	if err := r.owner.QueryRow(r.t.Context(), `SELECT starts_at, ends_at FROM provisioning.grants WHERE order_id = $1`,
		g.GetOrderId()).Scan(&gotStarts, &gotEnds); err != nil {
		r.t.Fatal(err)
	}
	if !gotStarts.Equal(at(r.t, starts)) || !gotEnds.Equal(at(r.t, ends)) {
		r.t.Errorf("the term runs from %s to %s, want %s to %s", gotStarts.UTC().Format(time.RFC3339), gotEnds.UTC().Format(time.RFC3339), starts, ends)
	}
}

func (r *running) wantAccess(g *pb.Grant, active bool, until string) {
	r.t.Helper()
	a, err := r.as("gateway").CheckAccess(r.app(), &pb.CheckAccessRequest{AccountId: g.GetAccountId()})
	if err != nil {
		r.t.Fatal(err)
	}
	got := ""
	if a.GetAccessUntil() != nil {
		got = a.GetAccessUntil().AsTime().Format(time.RFC3339Nano)
	}
	if a.GetActive() != active || got != until {
		r.t.Errorf("at %s: active %t until %q, want %t until %q", r.clock.Now().Format(time.RFC3339), a.GetActive(), got, active, until)
	}
}

// wantEvents compares the order's history, by the day.
func (r *running) wantEvents(g *pb.Grant, want ...string) {
	r.t.Helper()
	rows, err := r.owner.Query(r.t.Context(), `SELECT concat_ws(' ', what, to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'))
		FROM provisioning.grant_events WHERE order_id = $1 ORDER BY id`, g.GetOrderId())
	if err != nil {
		r.t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		r.t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("the history is\n%q, want\n%q", got, want)
	}
}

// follow tells how g's subscription stands now.
func (r *running) follow(g *pb.Grant, status pb.FollowSubscriptionRequest_Status, renews bool) *timestamppb.Timestamp {
	r.t.Helper()
	return r.followAt(g, status, renews, r.clock.Now())
}

func (r *running) followAt(g *pb.Grant, status pb.FollowSubscriptionRequest_Status, renews bool, seenAt time.Time) *timestamppb.Timestamp {
	r.t.Helper()
	a, err := r.as("orders").FollowSubscription(r.t.Context(), &pb.FollowSubscriptionRequest{
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
