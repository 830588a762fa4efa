package orders_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

func (s *scene) stuck(since time.Time, size int32, page string) *ordersv1.ListStuckOrdersResponse {
	s.t.Helper()
	r, err := s.admin("reconciliation").ListStuckOrders(s.t.Context(), &ordersv1.ListStuckOrdersRequest{
		NoProgressSince: timestamppb.New(since), PageSize: size, PageToken: page,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func TestStuckOrdersArePagedTheLongestWaitingFirst(t *testing.T) {
	s := newScene(t)
	s.peers.payments.says(says(paymentsv1.Payment_UNKNOWN))
	began := s.clock.Now()
	const n = 7
	for i := range n {
		if i == 2 || i == 5 { // ties: 2, 3 and 2 orders of one moment
			s.clock.Advance(time.Minute)
		}
		s.mustPlace(purchase{repeat: true}, pending)
	}
	since := s.clock.Now()
	for _, size := range []int32{1, 2, 3, 7, 0} {
		var times []time.Time
		seen := map[string]bool{}
		page, pages := "", 0
		for {
			r := s.stuck(since, size, page)
			for _, o := range r.GetOrders() {
				if seen[o.GetOrderId()] {
					t.Errorf("pages of %d: %s twice", size, o.GetOrderId())
				}
				seen[o.GetOrderId()] = true
				times = append(times, o.GetLastProgressAt().AsTime())
				if o.GetState() != pending {
					t.Errorf("%v", o)
				}
			}
			if pages++; r.GetNextPageToken() == "" || pages > n+1 {
				break
			}
			page = r.GetNextPageToken()
		}
		if len(seen) != n {
			t.Errorf("pages of %d: %d orders in %d pages", size, len(seen), pages)
		}
		for i := 1; i < len(times); i++ {
			if times[i].Before(times[i-1]) {
				t.Errorf("pages of %d: not the longest waiting first: %v", size, times)
			}
		}
	}
	if r := s.stuck(began, 0, ""); len(r.GetOrders()) != 2 {
		t.Errorf("since the beginning: %d", len(r.GetOrders()))
	}
	if r := s.stuck(began.Add(-time.Microsecond), 0, ""); len(r.GetOrders()) != 0 {
		t.Errorf("since before: %d", len(r.GetOrders()))
	}
}

func TestWhatIsNotStuck(t *testing.T) {
	s := newScene(t)
	s.mustPlace(purchase{email: "complete@example.com"}, complete)
	for i, a := range []answer{
		declines("card_declined", "no"), says(paymentsv1.Payment_CANCELED), says(paymentsv1.Payment_PROCESSING),
		says(paymentsv1.Payment_REQUIRES_ACTION), says(paymentsv1.Payment_REQUIRES_PAYMENT_METHOD),
	} {
		s.peers.payments.says(a)
		if _, err := s.place(purchase{email: fmt.Sprintf("jane%d@example.com", i)}); err != nil {
			t.Fatal(err)
		}
	}
	s.peers.payments.says(s.peers.payments.succeeded("ch"))
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	stuck := s.mustPlace(purchase{email: "charged@example.com"}, charged)
	s.clock.Advance(5 * time.Minute)
	r := s.stuck(s.clock.Now(), 0, "")
	waits := 0
	for _, o := range r.GetOrders() {
		if o.GetWaits() {
			waits++
		} else if o.GetOrderId() != stuck.GetId() || o.GetState() != charged {
			t.Errorf("stuck: %v", o)
		}
	}
	if len(r.GetOrders()) != 4 || waits != 3 {
		t.Errorf("%d listed, of which %d wait", len(r.GetOrders()), waits)
	}
}

func TestTheSweepIsCountedAsALook(t *testing.T) {
	s := newScene(t)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	o := s.mustPlace(purchase{}, charged)
	for i := range 5 {
		if _, err := s.advance(o, "reconciliation", ordersv1.AdvanceOrderRequest_RECONCILIATION); err != nil {
			t.Fatal(err)
		}
		if got := s.describe(o).GetLookCount(); got != int32(i+1) {
			t.Errorf("%d looks, want %d", got, i+1)
		}
		if i < 4 {
			s.wantCases()
		}
	}
	s.wantCases("STUCK_ORDER order/" + o.GetId())
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	got, err := s.advance(o, "reconciliation", ordersv1.AdvanceOrderRequest_RECONCILIATION)
	if err != nil || got.GetState() != complete || got.GetRecoveredBy() != "reconciliation" {
		t.Errorf("%v %v", got, err)
	}
}

func TestAPageTokenOfSomeoneElse(t *testing.T) {
	s := newScene(t)
	for _, token := range []string{"x", "!!!", "MjAyNi0wMS0wMSBub3QtYS11dWlk", "IA"} {
		_, err := s.admin("reconciliation").ListStuckOrders(t.Context(), &ordersv1.ListStuckOrdersRequest{NoProgressSince: timestamppb.Now(), PageToken: token})
		wantInvalid(t, token, err, "page_token")
	}
	_, err := s.admin("reconciliation").ListStuckOrders(t.Context(), &ordersv1.ListStuckOrdersRequest{NoProgressSince: timestamppb.Now(), PageSize: 501})
	wantInvalid(t, "too large a page", err, "page_size")
	_, err = s.admin("reconciliation").ListStuckOrders(t.Context(), &ordersv1.ListStuckOrdersRequest{})
	wantInvalid(t, "no time", err, "no_progress_since")
}
