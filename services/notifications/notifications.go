// Package notifications writes to people: a message is accepted once, read anew
// from its order when it is sent, and delivered until the mail server has
// accepted it or a person is asked.
package notifications

import (
	"context"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/notifications/internal/clients"
	"makegood.example/services/notifications/internal/jobs"
	"makegood.example/services/notifications/internal/rpc"
	"makegood.example/services/notifications/internal/service"
	"makegood.example/services/notifications/internal/slack"
	"makegood.example/services/notifications/internal/store"
	"makegood.example/services/platform/due"
	"makegood.example/services/platform/host"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/personal"
	"makegood.example/services/platform/process"
)

// Schema is what the service keeps in the database.
var Schema = migrate.Schema{Name: "notifications", FS: store.Migrations(), River: true, AppendOnly: []string{"incident_events"}}

// Access says who may call what.
var Access = rpc.Access

// Run serves, delivers mail, tells the team of incidents, and watches over
// reconciliation, until ctx ends. It waits for its database; the other services may be
// away.
func Run(ctx context.Context, cfg Config, rt process.Runtime) error {
	h, err := host.Open(ctx, cfg.Config, Schema, Access, rt)
	if err != nil {
		return err
	}
	defer h.Close()
	h.Tell(store.Readings...)

	svc := &service.Service{
		Store:        store.New(h.Pool),
		Orders:       clients.NewOrders(h.Peer("orders", cfg.OrdersAddr)),
		Payments:     clients.NewPayments(h.Peer("payments", cfg.PaymentsAddr)),
		Provisioning: clients.NewProvisioning(h.Peer("provisioning", cfg.ProvisioningAddr)),
		Cases:        clients.NewCases(h.Peer("reconciliation", cfg.ReconciliationAddr)),
		Runs:         clients.NewRuns(h.Peer("reconciliation", cfg.ReconciliationAddr)), ReconcileEvery: cfg.ReconcileEvery,
		Server: cfg.Server, From: cfg.From, Brand: cfg.Brand, PublicURL: cfg.PublicURL,
		Team: cfg.Team, Quiet: cfg.Quiet, AdminURL: cfg.AdminURL,
		Metrics: service.NewMetrics(h.Metrics), Now: rt.Now, Log: rt.Log,
	}
	switch {
	case cfg.SlackToken != "":
		svc.Posters = []service.Poster{&slack.Bot{Base: cfg.SlackAPI, Token: cfg.SlackToken, Channel: cfg.SlackChannel, Admin: cfg.AdminURL}}
	case cfg.SlackWebhook != "":
		svc.Posters = []service.Poster{&slack.Webhook{URL: cfg.SlackWebhook, Admin: cfg.AdminURL}}
	}
	deliveries, err := jobs.New(h.Pool, cfg.Listen, svc, rt.Log)
	if err != nil {
		return err
	}
	svc.Queue = deliveries
	notificationsv1.RegisterNotificationsServiceServer(h, &rpc.Server{Service: svc})
	personalv1.RegisterPersonalDataServiceServer(h, &personal.Server{Keeper: store.Person, Pool: h.Pool, Now: rt.Now})
	tellings := due.Work[store.ChannelDue]{Name: "incidents to tell", Claim: svc.ClaimTellings, Handle: svc.TellChannel, Log: rt.Log}
	work := []func(context.Context) error{deliveries.Run, tellings.Run}
	if cfg.Watched {
		digests := due.Work[bool]{Name: "the digest", Claim: svc.ClaimDigest, Handle: svc.MakeDigest, Log: rt.Log}
		watch := due.Work[bool]{Name: "watch over reconciliation", Claim: svc.ClaimWatch, Handle: svc.WatchReconciliation, Log: rt.Log}
		work = append(work, watch.Run, digests.Run) // without sweeps nothing is proven
	}
	return h.Serve(ctx, work...)
}
