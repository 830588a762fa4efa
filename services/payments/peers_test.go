package payments_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcserver"
)

// fakeOrders is the peer that is told: Orders as its contract describes it,
// behind the same server that the real one has.
type fakeOrders struct {
	ordersv1.UnimplementedOrdersAdminServiceServer
	addr string

	mu    sync.Mutex
	told  []*ordersv1.AdvanceOrderRequest
	down  bool                 // answers nothing but errors
	state ordersv1.Order_State // of an order that is told of its money
	held  bool                 // what arrived is left to a person
	// lost: Orders does not have the order that it is told of.
	lost    bool
	adopted []*ordersv1.AdoptChargeRequest
	// has, when it is not nil, are the orders that there are.
	has      map[string]bool
	followed []*pb.Subscription
	// endAfter is how many later terms there were when the first end was heard of.
	endAfter int
	// during runs while a call is being served.
	during func()
}

func startFakeOrders(t *testing.T) *fakeOrders {
	t.Helper()
	f := &fakeOrders{state: ordersv1.Order_COMPLETE}
	f.addr = serve(t, "orders", ordersv1.OrdersAdminService_ServiceDesc,
		func(s *grpcserver.Server) { ordersv1.RegisterOrdersAdminServiceServer(s, f) })
	return f
}

func (f *fakeOrders) AdvanceOrder(_ context.Context, r *ordersv1.AdvanceOrderRequest) (*ordersv1.AdvanceOrderResponse, error) {
	f.mu.Lock()
	f.told = append(f.told, proto.CloneOf(r))
	down, state, held, during, lost := f.down, f.state, f.held, f.during, f.lost || f.has != nil && !f.has[r.GetOrderId()]
	f.mu.Unlock()
	if lost {
		return nil, apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "there is no order under this reference")
	}
	if during != nil {
		during()
	}
	if down {
		return nil, errors.New("the table is on fire")
	}
	if r.GetPayment().GetStatus() != pb.Payment_SUCCEEDED {
		state = ordersv1.Order_PENDING
	}
	return &ordersv1.AdvanceOrderResponse{Order: &ordersv1.Order{Id: r.GetOrderId(), State: state}, Held: held}, nil
}

func (f *fakeOrders) AdoptCharge(_ context.Context, r *ordersv1.AdoptChargeRequest) (*ordersv1.AdvanceOrderResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, errors.New("the table is on fire")
	}
	if first := r.GetRenewsOrderId(); first != "" && !f.has[first] {
		return nil, apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "there is no order under this reference")
	}
	f.adopted = append(f.adopted, proto.CloneOf(r))
	if f.has != nil {
		f.has[r.GetPayment().GetOrderId()] = true
	}
	return &ordersv1.AdvanceOrderResponse{Order: &ordersv1.Order{Id: r.GetPayment().GetOrderId(), State: ordersv1.Order_RECOVERED}}, nil
}

func (f *fakeOrders) FollowSubscription(_ context.Context, r *ordersv1.FollowSubscriptionRequest) (*ordersv1.FollowSubscriptionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch sub := r.GetSubscription(); {
	case f.down:
		return nil, errors.New("the table is on fire")
	case !f.has[sub.GetOrderId()]:
		return nil, apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "there is no order under this reference")
	default:
		if sub.GetStatus() == pb.Subscription_ENDED && f.endAfter == 0 {
			f.endAfter = len(f.adopted)
		}
		f.followed = append(f.followed, proto.CloneOf(sub))
		return &ordersv1.FollowSubscriptionResponse{}, nil
	}
}

// subscription is what Orders heard last of an order's subscription; nil when
// it heard of none.
func (f *fakeOrders) subscription(orderID string) (last *pb.Subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sub := range f.followed {
		if sub.GetOrderId() == orderID && (last == nil || !sub.GetObservedAt().AsTime().Before(last.GetObservedAt().AsTime())) {
			last = sub
		}
	}
	return last
}

// renewals are the orders that were made of an order's later terms, in the order
// in which they were first handed over.
func (f *fakeOrders) renewals(orderID string) (out []*ordersv1.AdoptChargeRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := map[string]bool{}
	for _, r := range f.adopted {
		if r.GetRenewsOrderId() == orderID && !seen[r.GetPayment().GetOrderId()] {
			seen[r.GetPayment().GetOrderId()] = true
			out = append(out, r)
		}
	}
	return out
}

func (f *fakeOrders) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// calls are those about one order; all of them for "".
func (f *fakeOrders) calls(orderID string) []*ordersv1.AdvanceOrderRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*ordersv1.AdvanceOrderRequest
	for _, r := range f.told {
		if orderID == "" || r.GetOrderId() == orderID {
			out = append(out, r)
		}
	}
	return out
}

// fakeCases is Reconciliation, which keeps cases.
type fakeCases struct {
	reconciliationv1.UnimplementedReconciliationServiceServer
	addr string

	mu     sync.Mutex
	opened []*reconciliationv1.OpenCaseRequest
	down   bool // keeps nothing
}

func startFakeCases(t *testing.T) *fakeCases {
	t.Helper()
	f := &fakeCases{}
	f.addr = serve(t, "reconciliation", reconciliationv1.ReconciliationService_ServiceDesc,
		func(s *grpcserver.Server) { reconciliationv1.RegisterReconciliationServiceServer(s, f) })
	return f
}

func (f *fakeCases) OpenCase(_ context.Context, r *reconciliationv1.OpenCaseRequest) (*reconciliationv1.Case, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, errors.New("the desk is on fire")
	}
	f.opened = append(f.opened, proto.CloneOf(r))
	return &reconciliationv1.Case{Id: 1, Kind: r.GetKind(), Subject: r.GetSubject()}, nil
}

func (f *fakeCases) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// count is how often a case about a subject was reported.
func (f *fakeCases) count(kind reconciliationv1.Case_Kind, subject string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.opened {
		if r.GetKind() == kind && r.GetSubject() == subject {
			n++
		}
	}
	return n
}

// serve runs a peer that only Payments may call.
func serve(t *testing.T, name string, desc grpc.ServiceDesc, register func(*grpcserver.Server)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	table := access.Table{}
	for _, m := range desc.Methods {
		table["/"+desc.ServiceName+"/"+m.MethodName] = access.Rule{Callers: []string{"payments"}}
	}
	for _, m := range desc.Streams {
		table["/"+desc.ServiceName+"/"+m.StreamName] = access.Rule{Callers: []string{"payments"}}
	}
	server, err := grpcserver.New(grpcserver.Config{
		Name: name, Listener: listener, Access: table, Log: slog.New(slog.DiscardHandler),
		Ready: func(context.Context) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	register(server)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return listener.Addr().String()
}
