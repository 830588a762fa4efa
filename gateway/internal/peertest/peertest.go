// Package peertest hosts the gateway's peers in memory for tests: real gRPC
// servers with the real access rules, validation and typed errors, whose
// answers a test decides.
package peertest

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"sync"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/grpcserver"
)

// Names of the peers, which are their addresses too.
const (
	Orders         = "orders"
	Payments       = "payments"
	Provisioning   = "provisioning"
	Notifications  = "notifications"
	Reconciliation = "reconciliation"
)

// Network is a set of peers that can be stopped and started one by one.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*bufconn.Listener
	stops     map[string]func()
	starts    map[string]func(*testing.T)
}

// Dial is a grpcclient.Dialer: a stopped peer refuses.
func (n *Network) Dial(ctx context.Context, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[addr]
	n.mu.Unlock()
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	return l.DialContext(ctx)
}

// Stop ends one peer, as if it had been killed.
func (n *Network) Stop(name string) {
	n.mu.Lock()
	stop := n.stops[name]
	delete(n.listeners, name)
	delete(n.stops, name)
	n.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// Restart starts a stopped peer again.
func (n *Network) Restart(t *testing.T, name string) {
	t.Helper()
	n.starts[name](t)
}

// Peers are the answers of the five services.
type Peers struct {
	Orders         OrdersPeer
	Payments       PaymentsPeer
	Provisioning   ProvisioningPeer
	Notifications  NotificationsPeer
	Reconciliation ReconciliationPeer
	// Script may answer single calls of the admin services instead.
	Script Script
}

// Start starts all five peers; they end with the test.
func Start(t *testing.T, peers *Peers, tokens *access.Tokens) *Network {
	t.Helper()
	n := &Network{listeners: map[string]*bufconn.Listener{}, stops: map[string]func(){}, starts: map[string]func(*testing.T){}}
	for _, p := range []struct {
		name     string
		rules    map[string]access.Rule
		register func(grpc.ServiceRegistrar)
	}{
		{Orders, ordersRules(), func(s grpc.ServiceRegistrar) {
			ordersv1.RegisterOrdersServiceServer(s, &peers.Orders)
			s.RegisterService(scripted(ordersv1.OrdersAdminService_ServiceDesc, &peers.Script), &peers.Orders)
		}},
		{Payments, paymentsRules(), func(s grpc.ServiceRegistrar) {
			paymentsv1.RegisterPaymentsServiceServer(s, &peers.Payments)
			s.RegisterService(scripted(paymentsv1.PaymentsAdminService_ServiceDesc, &peers.Script), &peers.Payments)
		}},
		{Provisioning, provisioningRules(), func(s grpc.ServiceRegistrar) {
			provisioningv1.RegisterProvisioningServiceServer(s, &peers.Provisioning)
			s.RegisterService(scripted(provisioningv1.ProvisioningAdminService_ServiceDesc, &peers.Script), &peers.Provisioning)
		}},
		{Notifications, deskRules(&notificationsv1.NotificationsService_ServiceDesc),
			func(s grpc.ServiceRegistrar) {
				s.RegisterService(scripted(notificationsv1.NotificationsService_ServiceDesc, &peers.Script), &peers.Notifications)
			}},
		{Reconciliation, reconciliationRules(), func(s grpc.ServiceRegistrar) {
			s.RegisterService(scripted(reconciliationv1.ReconciliationService_ServiceDesc, &peers.Script), &peers.Reconciliation)
			s.RegisterService(scripted(reconciliationv1.SupportService_ServiceDesc, &peers.Script), &peers.Reconciliation)
		}},
	} {
		n.starts[p.name] = func(t *testing.T) {
			t.Helper()
			n.serve(t, p.name, grpcserver.Config{
				Name: p.name, Listener: bufconn.Listen(1 << 20), Access: p.rules, Tokens: tokens,
				Ready: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
			}, p.register)
		}
		n.Restart(t, p.name)
		t.Cleanup(func() { n.Stop(p.name) })
	}
	return n
}

func (n *Network) serve(t *testing.T, name string, cfg grpcserver.Config, register func(grpc.ServiceRegistrar)) {
	t.Helper()
	server, err := grpcserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	register(server)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[name] = cfg.Listener.(*bufconn.Listener)
	n.stops[name] = func() {
		server.Stop()
		cancel()
		<-ended
	}
}

func rules(service *grpc.ServiceDesc, rule access.Rule) access.Table {
	table := access.Table{}
	for _, m := range service.Methods {
		table["/"+service.ServiceName+"/"+m.MethodName] = rule
	}
	for _, m := range service.Streams {
		table["/"+service.ServiceName+"/"+m.StreamName] = rule
	}
	return table
}

// ordersRules are as in production: the edge may do what a buyer may, and
// only Payments and people may do the rest.
func ordersRules() access.Table {
	table := rules(&ordersv1.OrdersService_ServiceDesc, access.Rule{Callers: []string{"gateway"}})
	maps.Copy(table, deskRules(&ordersv1.OrdersAdminService_ServiceDesc, "payments"))
	return table
}

// paymentsRules: the edge may deliver webhooks, and only people may do the rest.
func paymentsRules() access.Table {
	table := rules(&paymentsv1.PaymentsService_ServiceDesc, access.Rule{Callers: []string{"gateway"}})
	maps.Copy(table, deskRules(&paymentsv1.PaymentsAdminService_ServiceDesc))
	return table
}

// provisioningRules: the SaaS's backend asks, and people see what it was told.
func provisioningRules() access.Table {
	table := rules(&provisioningv1.ProvisioningService_ServiceDesc, access.Rule{Role: access.Service})
	maps.Copy(table, deskRules(&provisioningv1.ProvisioningAdminService_ServiceDesc))
	return table
}

func reconciliationRules() access.Table {
	table := deskRules(&reconciliationv1.ReconciliationService_ServiceDesc)
	maps.Copy(table, deskRules(&reconciliationv1.SupportService_ServiceDesc))
	return table
}
