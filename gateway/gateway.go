// Package gateway is the edge: what browsers, Stripe and people with a role
// reach over HTTP. It translates, bounds and shows; it has no database and no
// business rules.
package gateway

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"makegood.example/gateway/internal/admin"
	"makegood.example/gateway/internal/edge"
	"makegood.example/gateway/internal/pages"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/metrics"
	"makegood.example/services/platform/mtls"
	"makegood.example/services/platform/process"
	"makegood.example/services/platform/tracing"
)

// Run serves until ctx ends, then drains; everything it started has ended when
// it returns. It does not wait for the services: while one is down, the edge
// says so.
func Run(ctx context.Context, cfg Config, rt process.Runtime) (err error) {
	stopTracing, err := tracing.Start(ctx, "gateway", cfg.Tracing, rt.Log)
	if err != nil {
		return err
	}
	defer stopTracing()
	told := metrics.New("gateway")
	requests := edge.NewRequests(told)
	certificates, err := mtls.Open(cfg.TLSDir, mtls.Gateway, rt.Log)
	if err != nil {
		return err
	}
	peers, closePeers, err := dial(cfg, certificates, rt.Dial, told.RPC)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closePeers()) }()

	statusPage := pages.NewStatus(pages.Config{
		AppName: cfg.AppName, HomeURL: cfg.HomeURL, CheckoutURL: cfg.CheckoutURL, SupportEmail: cfg.SupportEmail,
		RefundDays: cfg.RefundDays, Now: rt.Now, Log: rt.Log,
	}, ordersv1.NewOrdersServiceClient(peers.Orders))

	public, err := edge.New(edge.Config{
		Peers: peers, Log: rt.Log, Requests: requests, StatusPage: statusPage,
		PublishableKey: cfg.PublishableKey, SupportEmail: cfg.SupportEmail, AppName: cfg.AppName,
		TrustedProxies: cfg.TrustedProxies, AllowedOrigins: cfg.AllowedOrigins,
		RequestsPerIP: cfg.RequestsPerIP, HTTPS: cfg.HTTPS,
		PublicURL: cfg.PublicURL, RefundDays: cfg.RefundDays, DemoCheckout: cfg.DemoCheckout, Demo: cfg.Demo,
	})
	if err != nil {
		return err
	}
	people, err := admin.New(admin.Config{Peers: peers, AppName: cfg.AppName, Now: rt.Now, Log: rt.Log, Requests: requests, TrustedProxies: cfg.TrustedProxies})
	if err != nil {
		return err
	}

	publicListener, err := rt.Listen(cfg.HTTPAddr)
	if err != nil {
		return err
	}
	adminListener, err := rt.ListenForAdmin(cfg.AdminAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("listen for admin: %w", err), publicListener.Close())
	}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return edge.Serve(ctx, "public", publicListener, public, rt.Log, cfg.DrainDelay) })
	g.Go(func() error { return edge.Serve(ctx, "admin", adminListener, people, rt.Log, cfg.DrainDelay) })
	g.Go(func() error { return told.Serve(ctx, cfg.MetricsAddr, nil, rt.Log) })
	return g.Wait()
}

// dial prepares a connection to every service.
func dial(cfg Config, certificates *mtls.Folder, dialer grpcclient.Dialer, counted *metrics.RPC) (edge.Peers, func() error, error) {
	var conns []*grpc.ClientConn
	closeAll := func() error {
		var errs []error
		for _, c := range conns {
			errs = append(errs, c.Close())
		}
		return errors.Join(errs...)
	}
	var peers edge.Peers
	for _, p := range []struct {
		name, addr string
		conn       *grpc.ClientConnInterface
	}{
		{"orders", cfg.OrdersAddr, &peers.Orders},
		{"payments", cfg.PaymentsAddr, &peers.Payments},
		{"provisioning", cfg.ProvisioningAddr, &peers.Provisioning},
		{"notifications", cfg.NotificationsAddr, &peers.Notifications},
		{"reconciliation", cfg.ReconciliationAddr, &peers.Reconciliation},
	} {
		conn, err := grpcclient.Dial(p.addr, mtls.Gateway, dialer, append(counted.Dialed(), grpc.WithTransportCredentials(certificates.Client(p.name)))...)
		if err != nil {
			return edge.Peers{}, nil, errors.Join(err, closeAll())
		}
		conns = append(conns, conn)
		*p.conn = conn
	}
	return peers, closeAll, nil
}
