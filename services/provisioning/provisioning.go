// Package provisioning is the service that owns accounts and grants: what an
// account may use, until when. It does not know what a charge is.
package provisioning

import (
	"context"

	personalv1 "makegood.example/proto/gen/personal/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/due"
	"makegood.example/services/platform/host"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/personal"
	"makegood.example/services/platform/process"
	"makegood.example/services/provisioning/internal/clients"
	"makegood.example/services/provisioning/internal/rpc"
	"makegood.example/services/provisioning/internal/service"
	"makegood.example/services/provisioning/internal/store"
)

// Schema is what the service keeps in the database.
var Schema = migrate.Schema{Name: "provisioning", FS: store.Migrations(), AppendOnly: []string{"grant_events", "hook_replays"}}

// Access says who may call what.
var Access = rpc.Access

// Run serves until ctx ends. It waits for its database.
func Run(ctx context.Context, cfg Config, rt process.Runtime) error {
	h, err := host.Open(ctx, cfg.Config, Schema, Access, rt)
	if err != nil {
		return err
	}
	defer h.Close()
	h.Tell(store.Readings...)

	svc := &service.Service{
		Store: store.New(h.Pool), Settings: cfg.Settings, App: cfg.App, Cases: clients.NewCases(h.Peer("reconciliation", cfg.ReconciliationAddr)),
		Now: rt.Now, Log: rt.Log,
	}
	provisioningv1.RegisterProvisioningServiceServer(h, &rpc.Server{Service: svc})
	provisioningv1.RegisterProvisioningAdminServiceServer(h, &rpc.Admin{Service: svc})
	personalv1.RegisterPersonalDataServiceServer(h, &personal.Server{Keeper: store.Person, Pool: h.Pool, Now: rt.Now})

	if cfg.App == nil {
		return h.Serve(ctx)
	}
	hooks := due.Work[store.Due]{Name: "hooks", Claim: svc.ClaimDueAccess, Handle: svc.TellApp, Log: rt.Log}
	return h.Serve(ctx, hooks.Run)
}
