// Package edge is the public HTTP entrance: REST by grpc-gateway, Stripe's
// webhooks, the customer's pages, health. It bounds what comes in, decides
// nothing, and says in HTTP what the services answered.
package edge

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"

	"google.golang.org/grpc"

	"makegood.example/gateway/internal/demo"
	"makegood.example/gateway/internal/docs"
	"makegood.example/gateway/internal/module"
	"makegood.example/gateway/internal/pages"
	contracts "makegood.example/proto"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
)

// pagePath is the page of an order; it also takes the form that asks for a refund.
const pagePath = "/payment-issue"

// Peers are the connections to the services.
type Peers struct {
	Orders         grpc.ClientConnInterface
	Payments       grpc.ClientConnInterface
	Provisioning   grpc.ClientConnInterface
	Notifications  grpc.ClientConnInterface
	Reconciliation grpc.ClientConnInterface
}

// Config is what the public entrance is made of.
type Config struct {
	Peers Peers
	Log   *slog.Logger
	// Requests counts what is answered.
	Requests *Requests
	// StatusPage is the one page that tells a customer how an order stands. It
	// must not fail: it is what people see when other things did.
	StatusPage http.Handler

	// What GET /v1/config tells the browser.
	PublishableKey string
	SupportEmail   string
	AppName        string
	// PublicURL is where the public makes its calls; empty when that is not known.
	PublicURL string
	// RefundDays is how long banks usually take to show a refund, in words.
	RefundDays string

	// DemoCheckout serves the demo shop at /; Demo is what it is made of.
	DemoCheckout bool
	Demo         demo.Config

	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// AllowedOrigins are the sites whose scripts may call /v1/.
	AllowedOrigins []string
	// RequestsPerIP is how many requests a second one address may make, on average
	// over some seconds. Stripe's deliveries are not among them.
	RequestsPerIP int
	// HTTPS says that the public reaches this listener by https only.
	HTTPS bool
}

// New builds the public entrance.
func New(cfg Config) (http.Handler, error) {
	mux := NewMux(RESTTimeout)

	// Only what a buyer or the SaaS's backend may ask for; nothing of admin.
	orders := ordersv1.NewOrdersServiceClient(Guard(cfg.Peers.Orders))
	if err := ordersv1.RegisterOrdersServiceHandlerClient(context.Background(), mux, orders); err != nil {
		return nil, err
	}
	if err := provisioningv1.RegisterProvisioningServiceHandlerClient(context.Background(), mux,
		provisioningv1.NewProvisioningServiceClient(Guard(cfg.Peers.Provisioning))); err != nil {
		return nil, err
	}

	webhooks := stripeWebhook(paymentsv1.NewPaymentsServiceClient(cfg.Peers.Payments))

	contract := docs.New(contracts.PublicOpenAPI, cfg.AppName, cfg.PublicURL)
	scripts, err := module.Scripts(pages.Catalogue(), cfg.RefundDays)
	if err != nil {
		return nil, err
	}
	for _, script := range scripts {
		if err := Route(mux, http.MethodGet, script.Path, script.Handler()); err != nil {
			return nil, err
		}
	}
	if cfg.DemoCheckout {
		shop, err := demo.Page(cfg.Demo)
		if err != nil {
			return nil, err
		}
		for path, handler := range map[string]http.Handler{"/": shop, "/demo.css": demo.Style(), "/demo.js": demo.Script()} {
			if err := Route(mux, http.MethodGet, path, handler); err != nil {
				return nil, err
			}
		}
	}
	for _, route := range []struct {
		method, path string
		handler      http.Handler
	}{
		{http.MethodGet, "/v1/config", browserConfig(cfg)},
		{http.MethodGet, eventsPath, orderEvents(orders, usualPace)},
		{http.MethodPost, webhookPath, webhooks},
		{http.MethodGet, pagePath, cfg.StatusPage},
		{http.MethodPost, pagePath, cfg.StatusPage},
		{http.MethodGet, "/welcome", cfg.StatusPage},
		{http.MethodGet, healthPath, http.HandlerFunc(Alive)},
		{http.MethodGet, readyPath, Ready(cfg.Peers, cfg.Log)},
		{http.MethodGet, "/openapi.json", contract.Document},
		{http.MethodGet, "/docs", contract.Page},
	} {
		if err := Route(mux, route.method, route.path, route.handler); err != nil {
			return nil, err
		}
	}
	buyers := allowOrigins(cfg.AllowedOrigins, boundRate(cfg.RequestsPerIP, mux))
	return Wrap(onlyHTTPS(cfg.HTTPS, webhooksFirst(webhooks, buyers)), cfg.Log, cfg.Requests, cfg.TrustedProxies), nil
}
