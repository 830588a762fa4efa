package reconciliation_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
)

func TestFiftyReportsAtOnceAreOneCase(t *testing.T) {
	s := newScene(t)
	orders := s.client(s.instance(nil), "orders")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := orders.OpenCase(t.Context(), stuck(1)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.count(`SELECT count(*) FROM reconciliation.cases`); n != 1 {
		t.Errorf("%d cases", n)
	}
	if n := s.count(`SELECT reported_count FROM reconciliation.cases`); n != 50 {
		t.Errorf("reported %d times", n)
	}
}

func TestACaseIsTheSameWhileItIsOpen(t *testing.T) {
	s := newScene(t)
	orders := s.client(s.instance(nil), "orders")
	open := func(req *pb.OpenCaseRequest) *pb.Case {
		t.Helper()
		c, err := orders.OpenCase(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := open(stuck(1))
	if first.GetState() != pb.Case_OPEN || first.GetReportedCount() != 1 || first.GetResolvedAt() != nil {
		t.Errorf("a new case: %v", first)
	}
	s.clock.Advance(time.Hour)
	later := stuck(1)
	later.Summary = "seven looks could not finish it"
	again := open(later)
	if again.GetId() != first.GetId() || again.GetReportedCount() != 2 || again.GetSummary() != later.GetSummary() ||
		!again.GetOpenedAt().AsTime().Equal(first.GetOpenedAt().AsTime()) ||
		!again.GetLastReportedAt().AsTime().Equal(first.GetOpenedAt().AsTime().Add(time.Hour)) {
		t.Errorf("reported again: %v, at first %v", again, first)
	}
	if _, err := s.owner.Exec(t.Context(), `UPDATE reconciliation.cases SET state = 'RESOLVED', resolved_at = $1`, s.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if anew := open(stuck(1)); anew.GetId() == first.GetId() || anew.GetReportedCount() != 1 {
		t.Errorf("reported after it was resolved: %v", anew)
	}
	for kind := range pb.Case_Kind_name {
		if kind != 0 {
			open(&pb.OpenCaseRequest{Kind: pb.Case_Kind(kind), Subject: "payment/1", Summary: "each kind can be kept"})
		}
	}
}

func TestARunResolvesTheCasesOfOrdersThatAreAtRest(t *testing.T) {
	s := newScene(t)
	dial := s.instance(nil)
	old := s.clock.Now().Add(-time.Hour)
	s.orders.add(orderID(1), ordersv1.Order_CHARGED, old, becomes(ordersv1.Order_RECOVERED)) // by this very run
	s.orders.add(orderID(2), ordersv1.Order_COMPLETE, old, nil)
	s.orders.add(orderID(3), ordersv1.Order_PENDING, old, becomes(ordersv1.Order_PENDING))
	for n := range 5 { // there is no order 0, and no order 4
		if _, err := s.client(dial, "orders").OpenCase(t.Context(), stuck(n)); err != nil {
			t.Fatal(err)
		}
	}
	other := &pb.OpenCaseRequest{Kind: pb.Case_WRONG_CHARGE, Subject: "order/" + orderID(2), Summary: "the amount differs"}
	if _, err := s.client(dial, "payments").OpenCase(t.Context(), other); err != nil {
		t.Fatal(err)
	}

	run := s.startRun(dial)
	if run.GetStatus() != pb.Run_SUCCEEDED || run.GetErrors() != 2 || !hasLine(run, "resolved", orderID(1)) || !hasLine(run, "cannot be read", orderID(4)) {
		t.Errorf("the run is %v", run)
	}
	list, err := s.client(dial, "gateway").ListCases(s.support(), &pb.ListCasesRequest{State: pb.Case_RESOLVED})
	if err != nil {
		t.Fatal(err)
	}
	var resolved []string
	for _, c := range list.GetCases() {
		resolved = append(resolved, c.GetSubject())
		if c.GetKind() != pb.Case_STUCK_ORDER || c.GetResolvedAt() == nil {
			t.Errorf("resolved: %v", c)
		}
	}
	slices.Sort(resolved) // how long each waits may have been read already, or not
	if want := []string{"order/" + orderID(1), "order/" + orderID(2)}; !slices.Equal(resolved, want) {
		t.Errorf("resolved %v, want %v", resolved, want)
	}
}

func TestCasesAreListedTheLongestOpenFirst(t *testing.T) {
	s := newScene(t)
	dial := s.instance(nil)
	var want []string
	for n := range 7 {
		if n%3 == 0 {
			s.clock.Advance(-time.Minute) // several at one moment, and not in the order of their ids
		}
		c, err := s.client(dial, "orders").OpenCase(t.Context(), stuck(n))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, c.GetSubject())
	}
	want = slices.Concat(want[6:], want[3:6], want[:3])

	var got []string
	req := &pb.ListCasesRequest{State: pb.Case_OPEN, PageSize: 2}
	for {
		page, err := s.client(dial, "gateway").ListCases(s.support(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.GetCases() {
			got = append(got, c.GetSubject())
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}

func TestOthersMayNotCall(t *testing.T) {
	s := newScene(t)
	dial := s.instance(nil)
	_, err := s.client(dial, "gateway").OpenCase(s.support(), stuck(1))
	wantError(t, "OpenCase by a person", err, codes.PermissionDenied, "PERMISSION_DENIED")
	_, err = s.client(dial, "orders").StartRun(t.Context(), &pb.StartRunRequest{})
	wantError(t, "StartRun without a token", err, codes.Unauthenticated, "UNAUTHENTICATED")
}

func stuck(order int) *pb.OpenCaseRequest {
	return &pb.OpenCaseRequest{
		Kind: pb.Case_STUCK_ORDER, Subject: "order/" + orderID(order), Summary: "five looks could not finish it",
	}
}
