package gateway

import (
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"makegood.example/gateway/internal/demo"
	"makegood.example/services/platform/config"
	"makegood.example/services/platform/metrics"
	"makegood.example/services/platform/tracing"
)

// Config is what the gateway takes from its environment.
type Config struct {
	// HTTPAddr is where browsers and Stripe arrive (host:port).
	HTTPAddr string
	// AdminAddr is where people with a role arrive (host:port; loopback, unless the
	// network around it is private).
	AdminAddr string

	// The services' gRPC addresses; a comma list means replicas.
	OrdersAddr         string
	PaymentsAddr       string
	ProvisioningAddr   string
	NotificationsAddr  string
	ReconciliationAddr string
	// TLSDir holds the certificates for calls to the services; empty is plain.
	TLSDir string

	// PublishableKey is Stripe's key for the browser; empty when no checkout
	// confirms in the browser.
	PublishableKey string
	// SupportEmail is shown to customers.
	SupportEmail string
	// AppName is what customers know the product as.
	AppName string
	// PublicURL is where the public makes its calls; empty when that is not known.
	PublicURL string
	// HomeURL is the way home from a customer page.
	HomeURL string
	// CheckoutURL is where a buyer whose card was declined tries another.
	CheckoutURL string
	// RefundDays is how long banks usually take, in words.
	RefundDays string

	// DemoCheckout serves the demo shop at /; Demo is what it is made of.
	DemoCheckout bool
	Demo         demo.Config

	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// AllowedOrigins are the sites whose scripts may call the REST API.
	AllowedOrigins []string
	// RequestsPerIP is how many requests a second one address may make.
	RequestsPerIP int
	// DrainDelay is how long requests are taken after the order to stop, while
	// readiness says no.
	DrainDelay time.Duration
	// HTTPS says that the public address is an https one.
	HTTPS bool

	// MetricsAddr is where metrics are served: host:port, unix:/path, or nothing
	// for nowhere.
	MetricsAddr string
	// Tracing is where spans go.
	Tracing tracing.Config
}

// LoadConfig reads the settings, or lists everything that is wrong with them.
func LoadConfig(lookup config.Lookup) (Config, error) {
	r := config.NewReader(lookup)
	cfg := Config{
		HTTPAddr:           r.HostPort("HTTP_ADDR", "127.0.0.1:8080"),
		OrdersAddr:         r.String("ORDERS_GRPC_ADDR", "127.0.0.1:9101"),
		PaymentsAddr:       r.String("PAYMENTS_GRPC_ADDR", "127.0.0.1:9102"),
		ProvisioningAddr:   r.String("PROVISIONING_GRPC_ADDR", "127.0.0.1:9103"),
		NotificationsAddr:  r.String("NOTIFICATIONS_GRPC_ADDR", "127.0.0.1:9104"),
		ReconciliationAddr: r.String("RECONCILIATION_GRPC_ADDR", "127.0.0.1:9105"),
		TLSDir:             r.String("GRPC_TLS_DIR", ""),
		PublishableKey:     r.String("STRIPE_PUBLISHABLE_KEY", ""),
		SupportEmail:       r.String("SUPPORT_EMAIL", "support@example.com"),
		AppName:            r.String("APP_NAME", "Makegood"),
		PublicURL:          r.URL("PUBLIC_URL", ""),
		HomeURL:            r.URL("APP_URL", r.URL("PUBLIC_URL", "")),
		MetricsAddr:        metrics.LoadAddr(r),
		Tracing:            tracing.LoadConfig(r),
		CheckoutURL:        r.URL("CHECKOUT_URL", ""),
		RefundDays:         r.String("REFUND_DAYS", "5 to 10 business days"),
		RequestsPerIP:      r.Int("REQUESTS_PER_IP", 500, 1),
		HTTPS:              strings.HasPrefix(r.URL("PUBLIC_URL", ""), "https://"),
	}
	cfg.Tracing.FromOutside = true
	const admin = "127.0.0.1:8081"
	if r.Bool("ADMIN_ALLOW_PLAIN", false) {
		cfg.AdminAddr = r.HostPort("ADMIN_ADDR", admin)
	} else {
		cfg.AdminAddr = r.Loopback("ADMIN_ADDR", admin, "let a proxy that speaks TLS stand before it, or set ADMIN_ALLOW_PLAIN where no other machine reaches it")
	}
	switch on := r.String("DEMO_CHECKOUT", "off"); on {
	case "on", "off":
		cfg.DemoCheckout = on == "on"
	default:
		r.Problem("DEMO_CHECKOUT=%q is neither on nor off", on)
	}
	cfg.Demo = demo.Config{
		AppName: cfg.AppName, PublishableKey: cfg.PublishableKey, StripeJS: r.URL("STRIPE_JS_URL", demo.RealStripeJS),
		StateDir: r.String("MAKEGOOD_DIR", ".makegood"),
	}
	if inbox := r.String("INBOX_HTTP_ADDR", ""); inbox != "" {
		cfg.Demo.InboxURL = "http://" + inbox
	}
	if cfg.HomeURL == "" {
		cfg.HomeURL = "/"
	}
	if cfg.CheckoutURL == "" {
		cfg.CheckoutURL = cfg.HomeURL
	}
	if a, err := mail.ParseAddress(cfg.SupportEmail); err != nil || a.Address != cfg.SupportEmail {
		r.Problem("SUPPORT_EMAIL=%q is not a plain email address", cfg.SupportEmail)
	}
	if delay, on := r.DurationOrOff("DRAIN_DELAY", 0); on {
		cfg.DrainDelay = delay
	}
	for _, cidr := range r.List("TRUSTED_PROXIES") {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			r.Problem("TRUSTED_PROXIES: %q is not a network such as 10.0.0.0/8", cidr)
			continue
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, prefix.Masked())
	}
	for _, origin := range r.List("ALLOWED_ORIGINS") {
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || origin != u.Scheme+"://"+u.Host || u.Host == "" {
			r.Problem("ALLOWED_ORIGINS: %q is not an origin such as https://app.example.com", origin)
			continue
		}
		cfg.AllowedOrigins = append(cfg.AllowedOrigins, origin)
	}
	return cfg, r.Err()
}
