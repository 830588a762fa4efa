// Package payments is the Payments service: everything that touches Stripe. It
// says what happened to the money, and never decides who gets access.
package payments

import (
	"context"
	"embed"
	"io/fs"

	"golang.org/x/sync/errgroup"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/payments/internal/clients"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/rpc"
	"makegood.example/services/payments/internal/service"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/due"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/grpcserver"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/process"
)

//go:embed internal/store/migrations/*.sql
var migrations embed.FS

// Schema is what Payments owns in the database.
var Schema = migrate.Schema{Name: "payments", FS: must(fs.Sub(migrations, "internal/store/migrations"))}

func must(f fs.FS, err error) fs.FS {
	if err != nil {
		panic(err)
	}
	return f
}

// Run serves until ctx ends. Everything it starts has ended when it returns.
func Run(ctx context.Context, cfg Config, rt process.Runtime) error {
	log := rt.Log
	pool, err := pg.Open(ctx, cfg.DatabaseURL, "payments")
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
	peers, err := grpcclient.DialAll("payments", rt.Dial, cfg.OrdersAddr, cfg.ReconciliationAddr)
	if err != nil {
		return err
	}
	defer peers.Close()

	cfg.Stripe.Log = log
	svc := &service.Service{
		Store: store.New(pool), Stripe: stripegw.New(cfg.Stripe),
		Orders: clients.NewOrders(peers[0]), Cases: clients.NewCases(peers[1]),
		Settings: cfg.Settings, Now: rt.Now, Log: log,
	}
	listener, err := rt.Listen(cfg.Listen)
	if err != nil {
		return err
	}
	server, err := grpcserver.New(grpcserver.Config{
		Name: "payments", Listener: listener, Access: rpc.Access, Tokens: tokens, Ready: svc.Store.Ping, Log: log,
	})
	if err != nil {
		return err
	}
	paymentsv1.RegisterPaymentsServiceServer(server, &rpc.Payments{Service: svc})

	running, ctx := errgroup.WithContext(ctx)
	if err := svc.ResumeEventsAtStart(ctx); err != nil {
		return err
	}
	retries := due.Work[store.Filed]{Name: "webhook events", Claim: svc.ClaimDueEvents, Handle: svc.RetryEvent, Log: log}
	running.Go(func() error { retries.Run(ctx); return nil })
	if cfg.RescueOn {
		if err := svc.ResumeAtStart(ctx); err != nil {
			return err
		}
		looks := due.Work[payment.Attempt]{Name: "attempts that are due", Claim: svc.ClaimDueAttempts, Handle: svc.LookAtAttempt, Log: log}
		running.Go(func() error { looks.Run(ctx); return nil })
	}
	running.Go(func() error { return server.Serve(ctx) })
	return running.Wait()
}
