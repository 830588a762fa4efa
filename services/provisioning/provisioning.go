// Package provisioning is the service that owns accounts and grants: what an
// account may use, until when. It does not know what a charge is.
package provisioning

import (
	"context"
	"embed"
	"io/fs"

	pb "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/grpcserver"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/process"
	"makegood.example/services/provisioning/internal/rpc"
	"makegood.example/services/provisioning/internal/service"
	"makegood.example/services/provisioning/internal/store"
)

const name = "provisioning"

//go:embed internal/store/migrations/*.sql
var files embed.FS

// Schema is what the service keeps in the database.
var Schema = migrate.Schema{Name: name, FS: migrations()}

func migrations() fs.FS {
	sub, err := fs.Sub(files, "internal/store/migrations")
	if err != nil {
		panic(err) // only for a malformed path, and the path is a constant
	}
	return sub
}

// Run serves until ctx ends. It waits for its database.
func Run(ctx context.Context, cfg Config, rt process.Runtime) error {
	pool, err := pg.Open(ctx, cfg.DatabaseURL, name)
	if err != nil {
		return err
	}
	defer pool.Close()
	tokens, err := access.LoadTokens(rt.Now, cfg.AdminTokensFile, cfg.ServiceTokensFile)
	if err != nil {
		return err
	}
	if err := migrate.WaitFor(ctx, pool, Schema, rt.Log); err != nil {
		return err
	}

	provisioning := service.New(store.New(pool), cfg.Settings, rt.Now)

	listener, err := rt.Listen(cfg.Listen)
	if err != nil {
		return err
	}
	server, err := grpcserver.New(grpcserver.Config{
		Name: name, Listener: listener, Access: rpc.Access, Tokens: tokens, Ready: pool.Ping, Log: rt.Log,
	})
	if err != nil {
		return err
	}
	pb.RegisterProvisioningServiceServer(server, rpc.NewServer(provisioning))
	return server.Serve(ctx)
}
