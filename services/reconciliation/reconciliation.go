// Package reconciliation is the service behind the promise that nothing stays
// unexplained: it sweeps for orders that are stuck, gives every charge on the
// Stripe account its disposition, records every run, says in a report what does
// not add up, and owns the cases that a person must look at.
package reconciliation

import (
	"context"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/due"
	"makegood.example/services/platform/host"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/personal"
	"makegood.example/services/platform/process"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/rpc"
	"makegood.example/services/reconciliation/internal/service"
	"makegood.example/services/reconciliation/internal/store"
)

// Schema is what the service keeps in the database.
var Schema = migrate.Schema{Name: "reconciliation", FS: store.Migrations(), AppendOnly: []string{"audit", "case_events"}}

// Access says who may call what.
var Access = rpc.Access

// Run serves, and sweeps by the clock, until ctx ends. It waits for its
// database; the others may be away.
func Run(ctx context.Context, cfg Config, rt process.Runtime) error {
	h, err := host.Open(ctx, cfg.Config, Schema, Access, rt)
	if err != nil {
		return err
	}
	defer h.Close()
	h.Tell(store.Readings...)

	orders, payments, notifications := h.Peer("orders", cfg.OrdersAddr), h.Peer("payments", cfg.PaymentsAddr), h.Peer("notifications", cfg.NotificationsAddr)
	provisioning := h.Peer("provisioning", cfg.ProvisioningAddr)
	svc := &service.Service{
		Store: store.New(h.Pool), Orders: clients.NewOrders(orders), Payments: clients.NewPayments(payments),
		Provisioning: clients.NewProvisioning(provisioning), Notifications: clients.NewNotifications(notifications),
		Finder: clients.NewFinder(orders, payments, provisioning, notifications),
		Keepers: []clients.Keeper{
			clients.NewKeeper("orders", orders), clients.NewKeeper("payments", payments), clients.NewKeeper("provisioning", provisioning), clients.NewKeeper("notifications", notifications),
		},
		Own:       &personal.Server{Keeper: store.Person, Pool: h.Pool, Now: rt.Now},
		CaseFacts: clients.NewCaseFacts(orders, payments, notifications), Runs: service.NewRuns(), Instance: process.Instance("reconciliation", cfg.Listen), House: cfg.House, Settings: cfg.Settings, Now: rt.Now, Log: rt.Log,
	}
	reconciliationv1.RegisterReconciliationServiceServer(h, &rpc.Server{Service: svc})
	reconciliationv1.RegisterSupportServiceServer(h, &rpc.SupportServer{Service: svc, Shell: desk.Shell{Addr: cfg.Addr, TLS: cfg.TLSDir != ""}})

	cases := due.Work[int64]{Name: "cases to look after", Claim: svc.ClaimDueCases, Handle: svc.LookAfterCase, Log: rt.Log}
	incidents := due.Work[bool]{Name: "incidents to report", Claim: svc.ClaimIncidentLook, Handle: svc.ReportIncidents, Log: rt.Log}
	ledger := due.Work[bool]{Name: "how events arrive", Claim: svc.ClaimLedgerLook, Handle: svc.ReportLedger, Log: rt.Log}
	work := []func(context.Context) error{svc.Runs.Serve, cases.Run, incidents.Run, ledger.Run}
	if cfg.Scheduled {
		sweeps := due.Work[string]{
			Name: "sweeps", Claim: svc.ClaimSweeps, Log: rt.Log,
			Handle: func(ctx context.Context, _ string) error { return svc.RunScheduled(ctx) },
		}
		work = append(work, sweeps.Run)
	}
	return h.Serve(ctx, work...)
}
