// Package admin is the listener for people with a role: the REST of the admin
// services, never reachable from the public one. Who may do what is decided
// by each service, from the bearer token that is forwarded to it.
package admin

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"makegood.example/gateway/internal/console"
	"makegood.example/gateway/internal/docs"
	"makegood.example/gateway/internal/edge"
	contracts "makegood.example/proto"
	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// callTimeout bounds a call; a sweep started by hand answers when it is done.
const callTimeout = 60 * time.Second

// Config is what the admin entrance is made of.
type Config struct {
	Peers edge.Peers
	// AppName is what the console calls the product; Now is its clock.
	AppName        string
	Now            func() time.Time
	Log            *slog.Logger
	Requests       *edge.Requests
	TrustedProxies []netip.Prefix
}

// New builds the admin entrance.
func New(cfg Config) (http.Handler, error) {
	ctx := context.Background()
	mux := edge.NewMux(callTimeout)
	if err := ordersv1.RegisterOrdersAdminServiceHandlerClient(ctx, mux,
		ordersv1.NewOrdersAdminServiceClient(edge.Guard(cfg.Peers.Orders))); err != nil {
		return nil, err
	}
	if err := paymentsv1.RegisterPaymentsAdminServiceHandlerClient(ctx, mux,
		paymentsv1.NewPaymentsAdminServiceClient(edge.Guard(cfg.Peers.Payments))); err != nil {
		return nil, err
	}
	if err := provisioningv1.RegisterProvisioningAdminServiceHandlerClient(ctx, mux,
		provisioningv1.NewProvisioningAdminServiceClient(edge.Guard(cfg.Peers.Provisioning))); err != nil {
		return nil, err
	}
	if err := notificationsv1.RegisterNotificationsServiceHandlerClient(ctx, mux,
		notificationsv1.NewNotificationsServiceClient(edge.Guard(cfg.Peers.Notifications))); err != nil {
		return nil, err
	}
	if err := reconciliationv1.RegisterReconciliationServiceHandlerClient(ctx, mux,
		reconciliationv1.NewReconciliationServiceClient(edge.Guard(cfg.Peers.Reconciliation))); err != nil {
		return nil, err
	}
	if err := reconciliationv1.RegisterSupportServiceHandlerClient(ctx, mux,
		reconciliationv1.NewSupportServiceClient(edge.Guard(cfg.Peers.Reconciliation))); err != nil {
		return nil, err
	}
	for path, handler := range map[string]http.Handler{
		"/healthz": http.HandlerFunc(edge.Alive),
		"/readyz":  edge.Ready(cfg.Peers, cfg.Log),
	} {
		if err := edge.Route(mux, http.MethodGet, path, handler); err != nil {
			return nil, err
		}
	}
	contract := docs.New(contracts.AdminOpenAPI, "Makegood administration", "")
	desk := console.New(console.Config{Peers: cfg.Peers, AppName: cfg.AppName, Now: cfg.Now, Log: cfg.Log, Docs: contract})
	return edge.Wrap(sameOrigin(apart(mux, desk)), cfg.Log, cfg.Requests, cfg.TrustedProxies), nil
}

// apart gives the calls of programs to the REST translator, and the rest to the
// console.
func apart(rest, desk http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, prefix := range []string{"/admin/", "/healthz", "/readyz", "/v1/", "/webhooks/"} {
			if strings.HasPrefix(r.URL.Path, prefix) {
				rest.ServeHTTP(w, r)
				return
			}
		}
		desk.ServeHTTP(w, r)
	})
}

// sameOrigin refuses what another site's page sends by a person's browser, which
// has their cookie, or passes a proxy that adds their token. Programs send no
// origin, and are let through.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		edge.Named(r.Context(), "another site")
		http.Error(w, "This was sent by another site's page, and was not done.", http.StatusForbidden)
	}))
	return protection.Handler(next)
}
