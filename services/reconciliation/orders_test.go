package reconciliation_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcserver"
)

// fakeOrders is the peer: Orders as its contract describes it, behind the same
// server that the real one has.
type fakeOrders struct {
	ordersv1.UnimplementedOrdersAdminServiceServer
	addr string

	mu            sync.Mutex
	orders        map[string]*ordersv1.StuckOrder
	advance       map[string]func(context.Context) (ordersv1.Order_State, error)
	advanced      map[string]int
	chargedAt     map[string]time.Time
	subscriptions map[string]*paymentsv1.Subscription // by the order that began or renewed it
	inFlight      int
	mostAt        int // the most calls in flight at once
	pages         int // listed so far
	failPage      int // this one cannot be listed; 0 is none

	world *fakeWorld
}

const fakePageSize = 10

func startFakeOrders(t *testing.T) *fakeOrders {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeOrders{
		addr: listener.Addr().String(), orders: map[string]*ordersv1.StuckOrder{},
		advance:  map[string]func(context.Context) (ordersv1.Order_State, error){},
		advanced: map[string]int{}, chargedAt: map[string]time.Time{},
	}
	f.world = newFakeWorld()
	onlyReconciliation := access.Rule{Callers: []string{"reconciliation"}}
	table := access.Table{}
	for _, d := range []grpc.ServiceDesc{
		ordersv1.OrdersAdminService_ServiceDesc, paymentsv1.PaymentsAdminService_ServiceDesc,
		provisioningv1.ProvisioningService_ServiceDesc, provisioningv1.ProvisioningAdminService_ServiceDesc, notificationsv1.NotificationsService_ServiceDesc,
	} {
		for _, m := range d.Methods {
			table["/"+d.ServiceName+"/"+m.MethodName] = onlyReconciliation
		}
	}
	server, err := grpcserver.New(grpcserver.Config{
		Name: "orders", Listener: listener, Log: slog.New(slog.DiscardHandler),
		Ready:  func(context.Context) error { return nil },
		Access: table,
	})
	if err != nil {
		t.Fatal(err)
	}
	ordersv1.RegisterOrdersAdminServiceServer(server, f)
	paymentsv1.RegisterPaymentsAdminServiceServer(server, &fakePayments{world: f.world})
	provisioningv1.RegisterProvisioningServiceServer(server, &fakeProvisioning{world: f.world})
	provisioningv1.RegisterProvisioningAdminServiceServer(server, &fakeHooks{world: f.world})
	notificationsv1.RegisterNotificationsServiceServer(server, &fakeNotifications{world: f.world})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("orders: %v", err)
		}
	})
	return f
}

// add puts an order into a state that it reached at the given time. When it is
// advanced it does what the function says; without one it is COMPLETE.
func (f *fakeOrders) add(id string, state ordersv1.Order_State, since time.Time, advance func(context.Context) (ordersv1.Order_State, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders[id] = &ordersv1.StuckOrder{OrderId: id, State: state, LastProgressAt: timestamppb.New(since)}
	f.advance[id] = advance
}

// charge makes an order that Stripe charged at a time.
func (f *fakeOrders) charge(id string, at time.Time) {
	f.add(id, ordersv1.Order_CHARGED, at, nil)
	f.set(func() { f.chargedAt[id] = at })
}

func (f *fakeOrders) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fakeOrders) advancedTimes(id string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.advanced[id]
}

func (f *fakeOrders) ListStuckOrders(_ context.Context, r *ordersv1.ListStuckOrdersRequest) (*ordersv1.ListStuckOrdersResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pages++; f.pages == f.failPage {
		return nil, errors.New("the table is on fire")
	}
	out := &ordersv1.ListStuckOrdersResponse{}
	for _, o := range f.orders {
		waits := o.State == ordersv1.Order_PENDING || o.State == ordersv1.Order_CHARGED
		if waits && o.GetOrderId() > r.GetPageToken() && o.GetLastProgressAt().AsTime().Before(r.GetNoProgressSince().AsTime()) {
			out.Orders = append(out.Orders, &ordersv1.StuckOrder{
				OrderId: o.GetOrderId(), State: o.GetState(), LastProgressAt: o.GetLastProgressAt(),
			})
		}
	}
	slices.SortFunc(out.Orders, func(a, b *ordersv1.StuckOrder) int { return cmp.Compare(a.GetOrderId(), b.GetOrderId()) })
	if size := min(fakePageSize, int(r.GetPageSize())); len(out.Orders) > size {
		out.Orders = out.Orders[:size]
		out.NextPageToken = out.Orders[size-1].GetOrderId()
	}
	return out, nil
}

func (f *fakeOrders) AdvanceOrder(ctx context.Context, r *ordersv1.AdvanceOrderRequest) (*ordersv1.AdvanceOrderResponse, error) {
	if r.GetReason() != ordersv1.AdvanceOrderRequest_RECONCILIATION {
		return nil, apperr.Invalid("reason", "is not reconciliation")
	}
	f.mu.Lock()
	f.advanced[r.GetOrderId()]++
	f.inFlight++
	f.mostAt = max(f.mostAt, f.inFlight)
	advance := f.advance[r.GetOrderId()]
	if f.orders[r.GetOrderId()] == nil {
		f.orders[r.GetOrderId()] = &ordersv1.StuckOrder{OrderId: r.GetOrderId()}
	}
	f.mu.Unlock()
	if state, known := f.world.advance(r.GetOrderId()); known {
		advance = func(context.Context) (ordersv1.Order_State, error) { return state, nil }
	}

	state, err := ordersv1.Order_COMPLETE, error(nil)
	if advance != nil {
		state, err = advance(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inFlight--
	if err != nil {
		return nil, err
	}
	f.orders[r.GetOrderId()].State = state
	return &ordersv1.AdvanceOrderResponse{Order: &ordersv1.Order{Id: r.GetOrderId(), State: state}}, nil
}

func (f *fakeOrders) DescribeOrder(_ context.Context, r *ordersv1.DescribeOrderRequest) (*ordersv1.DescribeOrderResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.world.describe(r.GetOrderId()); d != nil {
		return d, nil
	}
	o, ok := f.orders[r.GetOrderId()]
	if !ok {
		return nil, apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "there is no such order")
	}
	d := &ordersv1.DescribeOrderResponse{Order: &ordersv1.Order{Id: o.GetOrderId(), State: o.GetState()}}
	d.Order.CreatedAt, d.Subscription = o.GetLastProgressAt(), f.subscriptions[o.GetOrderId()]
	if at, ok := f.chargedAt[o.GetOrderId()]; ok {
		d.Order.ChargedAt = timestamppb.New(at)
	}
	switch o.GetState() {
	case ordersv1.Order_PENDING, ordersv1.Order_CHARGED, ordersv1.Order_ORPHANED:
		d.NextLookAt = timestamppb.Now() // as Orders' own constraint has it
	}
	return d, nil
}
