// Package reconciliation is the service that compares what should be with what
// is, has it mended by whoever owns it, and keeps what needs a person as cases.
package reconciliation

import (
	"context"
	"embed"
	"io/fs"

	"golang.org/x/sync/errgroup"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/due"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/grpcserver"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/process"
	"makegood.example/services/reconciliation/internal/rpc"
	"makegood.example/services/reconciliation/internal/service"
	"makegood.example/services/reconciliation/internal/store"
)

const name = "reconciliation"

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

// Run serves, and sweeps by the clock, until ctx ends. It waits for its
// database; Orders may be away.
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
	orders, err := grpcclient.Dial(cfg.OrdersAddr, name, rt.Dial)
	if err != nil {
		return err
	}
	defer func() { _ = orders.Close() }()

	reconciliation := service.New(store.New(pool), ordersv1.NewOrdersAdminServiceClient(orders), cfg.Settings, rt.Now, rt.Log)

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
	pb.RegisterReconciliationServiceServer(server, rpc.NewServer(reconciliation))

	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return server.Serve(ctx) })
	if cfg.Scheduled {
		sweeps := due.Work[string]{
			Name: "sweeps",
			Claim: func(ctx context.Context, limit int) ([]string, error) {
				return reconciliation.ClaimSweeps(ctx, cfg.Every, limit)
			},
			// A run may take minutes; when the service is told to stop, the run
			// ends too and records that it did not finish.
			Handle: func(context.Context, string) error { return reconciliation.RunScheduled(ctx) },
			Log:    rt.Log,
		}
		all.Go(func() error { sweeps.Run(ctx); return nil })
	}
	return all.Wait()
}
