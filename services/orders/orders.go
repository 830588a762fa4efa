// Package orders is the Orders service: plans, orders, their state machine and
// history, and Advance, the one function that fulfils.
package orders

import (
	"context"
	"embed"
	"io/fs"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/orders/internal/clients"
	orderjobs "makegood.example/services/orders/internal/jobs"
	"makegood.example/services/orders/internal/rpc"
	"makegood.example/services/orders/internal/service"
	"makegood.example/services/orders/internal/store"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/due"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/grpcserver"
	"makegood.example/services/platform/jobs"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/process"
)

//go:embed internal/store/migrations/*.sql
var migrations embed.FS

// Schema is what Orders owns in the database.
var Schema = migrate.Schema{
	Name: "orders", FS: must(fs.Sub(migrations, "internal/store/migrations")), River: true,
	AppendOnly: []string{"history", "charging_switch"},
}

func must(f fs.FS, err error) fs.FS {
	if err != nil {
		panic(err)
	}
	return f
}

// Run serves until ctx ends. Everything it starts has ended when it returns.
func Run(ctx context.Context, cfg Config, rt process.Runtime) error {
	log := rt.Log
	pool, err := pg.Open(ctx, cfg.DatabaseURL, "orders")
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate.WaitFor(ctx, pool, Schema, log); err != nil {
		return err
	}
	tokens, err := access.LoadTokens(rt.Now, cfg.AdminTokensFile, cfg.ServiceTokensFile)
	if err != nil {
		return err
	}
	peers, err := grpcclient.DialAll("orders", rt.Dial, cfg.PaymentsAddr, cfg.ProvisioningAddr, cfg.NotificationsAddr, cfg.ReconciliationAddr)
	if err != nil {
		return err
	}
	defer peers.Close()

	notifications, cases := clients.NewNotifications(peers[2]), clients.NewCases(peers[3])
	workers := river.NewWorkers()
	river.AddWorker(workers, &orderjobs.MessageWorker{Notifications: notifications, Cases: cases})
	queue, err := jobs.New(jobs.Config{Schema: Schema.Name, Instance: "orders@" + cfg.Listen, Pool: pool, Workers: workers, Log: log})
	if err != nil {
		return err
	}
	svc := &service.Service{
		Store: store.New(pool), Plans: cfg.Plans,
		Payments: clients.NewPayments(peers[0]), Provisioning: clients.NewProvisioning(peers[1]),
		Notifications: notifications, Cases: cases, Messages: orderjobs.Queue{Client: queue},
		Settings: cfg.Settings, Now: rt.Now, Log: log,
	}

	listener, err := rt.Listen(cfg.Listen)
	if err != nil {
		return err
	}
	server, err := grpcserver.New(grpcserver.Config{
		Name: "orders", Listener: listener, Access: rpc.Access, Tokens: tokens, Ready: svc.Store.Ping, Log: log,
	})
	if err != nil {
		return err
	}
	ordersv1.RegisterOrdersServiceServer(server, &rpc.Orders{Service: svc})
	ordersv1.RegisterOrdersAdminServiceServer(server, &rpc.Admin{Service: svc})

	if err := queue.Start(ctx); err != nil {
		return err
	}
	running, ctx := errgroup.WithContext(ctx)
	if cfg.RescueOn {
		if err := svc.ResumeAtStart(ctx); err != nil {
			return err
		}
		looks := due.Work[uuid.UUID]{Name: "orders that are due", Claim: svc.ClaimDue, Handle: svc.Rescue, Log: log}
		running.Go(func() error { looks.Run(ctx); return nil })
	}
	running.Go(func() error { return server.Serve(ctx) })
	err = running.Wait()
	queue.Wait()
	return err
}
