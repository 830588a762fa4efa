// Package orders is the Orders service: plans, orders, their state machine and
// history, and Advance, the one function that fulfils.
package orders

import (
	"context"

	"github.com/google/uuid"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/jobs"
	"makegood.example/services/orders/internal/rpc"
	"makegood.example/services/orders/internal/service"
	"makegood.example/services/orders/internal/store"
	"makegood.example/services/platform/due"
	"makegood.example/services/platform/host"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/personal"
	"makegood.example/services/platform/process"
)

// Schema is what the service keeps in the database.
var Schema = migrate.Schema{
	Name: "orders", FS: store.Migrations(), River: true, AppendOnly: []string{"history", "charging_switch", "notices"},
}

// Access says who may call what.
var Access = rpc.Access

// Run serves, looks at orders that are due, and hands messages over, until ctx
// ends. It waits for its database; the other services may be away.
func Run(ctx context.Context, cfg Config, rt process.Runtime) error {
	h, err := host.Open(ctx, cfg.Config, Schema, Access, rt)
	if err != nil {
		return err
	}
	defer h.Close()
	h.Tell(store.Readings...)

	notifications := clients.NewNotifications(h.Peer("notifications", cfg.NotificationsAddr))
	cases := clients.NewCases(h.Peer("reconciliation", cfg.ReconciliationAddr))
	messages, err := jobs.New(h.Pool, cfg.Listen, &jobs.MessageWorker{Notifications: notifications, Cases: cases}, rt.Log)
	if err != nil {
		return err
	}
	svc := &service.Service{
		Store: store.New(h.Pool), Plans: cfg.Plans,
		Payments:      clients.NewPayments(h.Peer("payments", cfg.PaymentsAddr)),
		Provisioning:  clients.NewProvisioning(h.Peer("provisioning", cfg.ProvisioningAddr)),
		Notifications: notifications, Cases: cases, Messages: messages,
		Settings: cfg.Settings, Metrics: service.NewMetrics(h.Metrics), Now: rt.Now, Log: rt.Log,
	}
	ordersv1.RegisterOrdersServiceServer(h, &rpc.Orders{Service: svc})
	ordersv1.RegisterOrdersAdminServiceServer(h, &rpc.Admin{Service: svc})
	personalv1.RegisterPersonalDataServiceServer(h, &personal.Server{Keeper: store.Person, Pool: h.Pool, Now: rt.Now})

	work := []func(context.Context) error{messages.Run}
	if cfg.RescueOn {
		if err := svc.ResumeAtStart(ctx); err != nil {
			return err
		}
		looks := due.Work[uuid.UUID]{Name: "orders that are due", Claim: svc.ClaimDue, Handle: svc.Rescue, Log: rt.Log}
		work = append(work, looks.Run)
	}
	return h.Serve(ctx, work...)
}
