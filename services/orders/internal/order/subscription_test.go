package order_test

import (
	"reflect"
	"testing"
	"time"

	"makegood.example/services/orders/internal/order"
)

var statuses = []order.SubscriptionStatus{order.Active, order.PastDue, order.Paused, order.Unpaid, order.Ended}

// Whatever the order in which a life is heard of, what is left is its last moment.
func TestTheLatestObservationIsLeftOfEveryOrder(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, seen := range map[string][]order.Subscription{
		"seconds apart": {
			{Status: order.Active, Renews: true, ObservedAt: at}, {Status: order.PastDue, Renews: true, ObservedAt: at.Add(time.Second)},
			{Status: order.Active, Renews: true, ObservedAt: at.Add(2 * time.Second)}, {Status: order.Active, ObservedAt: at.Add(3 * time.Second)},
		},
		"in one second": {
			{Status: order.Active, Renews: true, ObservedAt: at}, {Status: order.Active, ObservedAt: at},
			{Status: order.PastDue, ObservedAt: at}, {Status: order.Ended, ObservedAt: at},
		},
	} {
		last := seen[len(seen)-1]
		permute(seen, func(heard []order.Subscription) {
			known := heard[0]
			for _, s := range append(heard[1:], heard...) { // each twice
				if s.NewerThan(known) {
					known = s
				}
			}
			if !reflect.DeepEqual(known, last) {
				t.Fatalf("%s: %v leaves %v", name, heard, known)
			}
		})
	}
}

func permute(all []order.Subscription, visit func([]order.Subscription)) {
	var step func(done, left []order.Subscription)
	step = func(done, left []order.Subscription) {
		if len(left) == 0 {
			visit(append([]order.Subscription{}, done...))
		}
		for i := range left {
			rest := append(append([]order.Subscription{}, left[:i]...), left[i+1:]...)
			step(append(append([]order.Subscription{}, done...), left[i]), rest)
		}
	}
	step(nil, all)
}

func TestWhenTheEndOfAccessIsTold(t *testing.T) {
	now, notice := time.Date(2027, 2, 22, 12, 0, 0, 0, time.UTC), 7*24*time.Hour
	half, within, beyond, over := now.Add(notice/2), now.Add(notice), now.Add(notice+1), now
	for _, status := range statuses {
		for _, renews := range []bool{true, false} {
			for _, until := range []*time.Time{nil, &over, &half, &within, &beyond} {
				s := order.Subscription{ID: "sub_1", Status: status, Renews: renews, AccessUntil: until}
				// That it could not be collected was said when grace began.
				want := until == &half && status == order.PastDue || (until == &half || until == &within) && status == order.Active && !renews
				told := s.Notices(now, notice)
				if (len(told) == 1) != want || want && told[0] != (order.Notice{Kind: "ACCESS_ENDING", DedupeKey: "subscription/sub_1/access-ending/" + until.Format("2006-01-02")}) {
					t.Errorf("%s, renews %v, until %v: %v", status, renews, until, told)
				}
			}
		}
	}
}
