// Package notifications writes to people: a message is accepted once, read anew
// from its order when it is sent, and delivered until the mail server has
// accepted it or a person is asked.
package notifications

import (
	"context"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/notifications/internal/jobs"
	"makegood.example/services/notifications/internal/rpc"
	"makegood.example/services/notifications/internal/service"
	"makegood.example/services/notifications/internal/store"
	"makegood.example/services/platform/host"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/process"
)

// Schema is what the service keeps in the database.
var Schema = migrate.Schema{Name: "notifications", FS: store.Migrations(), River: true}

// Run serves, and delivers mail, until ctx ends. It waits for its database; the
// other services may be away.
func Run(ctx context.Context, cfg Config, rt process.Runtime) error {
	h, err := host.Open(ctx, cfg.Config, Schema, rpc.Access, rt)
	if err != nil {
		return err
	}
	defer h.Close()

	messages := store.New(h.Pool)
	deliverer := &service.Deliverer{
		Store:          messages,
		Orders:         ordersv1.NewOrdersAdminServiceClient(h.Peer(cfg.OrdersAddr)),
		Provisioning:   provisioningv1.NewProvisioningServiceClient(h.Peer(cfg.ProvisioningAddr)),
		Reconciliation: reconciliationv1.NewReconciliationServiceClient(h.Peer(cfg.ReconciliationAddr)),
		Server:         cfg.Server, Brand: cfg.Brand, From: cfg.From,
		Now: rt.Now, Log: rt.Log,
	}
	queue, err := jobs.New(h.Pool, cfg.Listen, deliverer, rt.Log)
	if err != nil {
		return err
	}
	svc := &service.Service{Store: messages, Queue: queue, MailDomain: cfg.mailDomain(), Now: rt.Now}
	notificationsv1.RegisterNotificationsServiceServer(h, &rpc.Server{Service: svc})
	return h.Serve(ctx, queue.Run)
}
