// Package provisioning is the service that owns accounts and grants: what an
// account may use, until when. It does not know what a charge is.
package provisioning

import (
	"context"

	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/host"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/process"
	"makegood.example/services/provisioning/internal/rpc"
	"makegood.example/services/provisioning/internal/service"
	"makegood.example/services/provisioning/internal/store"
)

// Schema is what the service keeps in the database.
var Schema = migrate.Schema{Name: "provisioning", FS: store.Migrations(), AppendOnly: []string{"grant_events"}}

// Access says who may call what.
var Access = rpc.Access

// Run serves until ctx ends. It waits for its database.
func Run(ctx context.Context, cfg Config, rt process.Runtime) error {
	h, err := host.Open(ctx, cfg.Config, Schema, Access, rt)
	if err != nil {
		return err
	}
	defer h.Close()
	h.Tell()

	svc := &service.Service{Store: store.New(h.Pool), Settings: cfg.Settings, Now: rt.Now}
	provisioningv1.RegisterProvisioningServiceServer(h, &rpc.Server{Service: svc})
	return h.Serve(ctx)
}
