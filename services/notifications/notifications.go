// Package notifications writes to people: a message is accepted once, read anew
// from its order when it is sent, and delivered until the mail server has
// accepted it or a person is asked.
package notifications

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/notifications/internal/jobs"
	"makegood.example/services/notifications/internal/rpc"
	"makegood.example/services/notifications/internal/service"
	"makegood.example/services/notifications/internal/store"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/grpcserver"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/process"
)

// Schema is what the service keeps in the database.
var Schema = migrate.Schema{Name: "notifications", FS: store.Migrations(), River: true}

// Run runs the service until ctx ends; then everything it started has ended.
func Run(ctx context.Context, cfg Config, rt process.Runtime) error {
	pool, err := pg.Open(ctx, cfg.DatabaseURL, "notifications")
	if err != nil {
		return err
	}
	defer pool.Close()
	tokens, err := access.LoadTokens(rt.Now, cfg.AdminTokensFile, cfg.ServiceTokensFile)
	if err != nil {
		return err
	}
	listener, err := rt.Listen(cfg.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := migrate.WaitFor(ctx, pool, Schema, rt.Log); err != nil {
		return err
	}

	orders, err := grpcclient.Dial(cfg.OrdersAddr, "notifications", rt.Dial)
	if err != nil {
		return err
	}
	defer orders.Close()
	provisioning, err := grpcclient.Dial(cfg.ProvisioningAddr, "notifications", rt.Dial)
	if err != nil {
		return err
	}
	defer provisioning.Close()
	reconciliation, err := grpcclient.Dial(cfg.ReconciliationAddr, "notifications", rt.Dial)
	if err != nil {
		return err
	}
	defer reconciliation.Close()

	messages := store.New(pool)
	deliverer := &service.Deliverer{
		Store:          messages,
		Orders:         ordersv1.NewOrdersAdminServiceClient(orders),
		Provisioning:   provisioningv1.NewProvisioningServiceClient(provisioning),
		Reconciliation: reconciliationv1.NewReconciliationServiceClient(reconciliation),
		Server:         cfg.Server, Brand: cfg.Brand, From: cfg.From,
		Now: rt.Now, Log: rt.Log,
	}
	queue, err := jobs.New(pool, "notifications@"+cfg.Listen, deliverer.Deliver, rt.Log)
	if err != nil {
		return err
	}
	server, err := grpcserver.New(grpcserver.Config{
		Name: "notifications", Listener: listener, Access: rpc.Access, Tokens: tokens, Ready: pool.Ping, Log: rt.Log,
	})
	if err != nil {
		return err
	}
	notificationsv1.RegisterNotificationsServiceServer(server, &rpc.Server{Service: &service.Service{
		Store: messages, Queue: queue, MailDomain: cfg.mailDomain(), Now: rt.Now,
	}})

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return queue.Run(ctx) })
	group.Go(func() error { return server.Serve(ctx) })
	if err := group.Wait(); err != nil {
		return fmt.Errorf("notifications: %w", err)
	}
	return nil
}
