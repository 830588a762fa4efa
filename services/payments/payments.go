// Package payments is the Payments service: everything that touches Stripe. It
// says what happened to the money, and never decides who gets access.
package payments

import (
	"context"
	"time"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/payments/internal/clients"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/rpc"
	"makegood.example/services/payments/internal/service"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/platform/due"
	"makegood.example/services/platform/host"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/personal"
	"makegood.example/services/platform/process"
)

// Schema is what the service keeps in the database.
var Schema = migrate.Schema{Name: "payments", FS: store.Migrations(), AppendOnly: []string{"customer_links", "event_actions"}}

// Access says who may call what.
var Access = rpc.Access

// Run serves, retries webhook events, and looks at attempts that are due, until
// ctx ends. It waits for its database; Stripe and the other services may be away.
func Run(ctx context.Context, cfg Config, rt process.Runtime) error {
	h, err := host.Open(ctx, cfg.Config, Schema, Access, rt)
	if err != nil {
		return err
	}
	defer h.Close()
	h.Tell(store.Readings...)

	cfg.Stripe.Log, cfg.Stripe.Metrics = rt.Log, stripegw.NewMetrics(h.Metrics)
	stripe := stripegw.New(cfg.Stripe)
	svc := &service.Service{
		Store: store.New(h.Pool, stripe.Livemode()), Stripe: stripe,
		Orders: clients.NewOrders(h.Peer("orders", cfg.OrdersAddr)), Cases: clients.NewCases(h.Peer("reconciliation", cfg.ReconciliationAddr)),
		Accounts: clients.NewAccounts(h.Peer("provisioning", cfg.ProvisioningAddr)),
		Settings: cfg.Settings, Metrics: service.NewMetrics(h.Metrics), Now: rt.Now, Log: rt.Log,
	}
	paymentsv1.RegisterPaymentsServiceServer(h, &rpc.Payments{Service: svc})
	paymentsv1.RegisterPaymentsAdminServiceServer(h, &rpc.Admin{Service: svc})
	personalv1.RegisterPersonalDataServiceServer(h, &personal.Server{Keeper: store.Person, Pool: h.Pool, Now: rt.Now})

	if err := svc.ResumeEventsAtStart(ctx); err != nil {
		return err
	}
	retries := due.Work[store.Filed]{Name: "webhook events", Claim: svc.ClaimDueEvents, Handle: svc.RetryEvent, Log: rt.Log}
	bodies := due.Work[bool]{Name: "bodies of events", Claim: svc.ClaimBodyWalk, Handle: svc.WalkBodies, Every: time.Minute, Log: rt.Log}
	work := []func(context.Context) error{retries.Run, bodies.Run}
	if cfg.Settings.MatchByEmail {
		addresses := due.Work[store.Awaited]{Name: "addresses of orphaned events", Claim: svc.ClaimAwaitedAddresses, Handle: svc.LookAtAddress, Log: rt.Log}
		work = append(work, addresses.Run)
	}
	if cfg.RescueOn {
		if err := svc.ResumeAtStart(ctx); err != nil {
			return err
		}
		if err := svc.ResumeSubscriptionsAtStart(ctx); err != nil {
			return err
		}
		looks := due.Work[payment.Attempt]{Name: "attempts that are due", Claim: svc.ClaimDueAttempts, Handle: svc.LookAtAttempt, Log: rt.Log}
		refunds := due.Work[payment.Refund]{Name: "refunds that are due", Claim: svc.ClaimDueRefunds, Handle: svc.LookAtRefund, Log: rt.Log}
		subscriptions := due.Work[payment.Subscription]{Name: "subscriptions that are due", Claim: svc.ClaimDueSubscriptions, Handle: svc.LookAtSubscription, Log: rt.Log}
		work = append(work, looks.Run, refunds.Run, subscriptions.Run)
	}
	return h.Serve(ctx, work...)
}
