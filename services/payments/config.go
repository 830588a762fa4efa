package payments

import (
	"strings"
	"time"

	"makegood.example/services/payments/internal/service"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/platform/config"
)

// Config is what Payments is told.
type Config struct {
	DatabaseURL        string
	Listen             string
	OrdersAddr         string
	ReconciliationAddr string
	AdminTokensFile    string
	ServiceTokensFile  string
	Stripe             stripegw.Config
	// RescueOn: false switches the attempts' own looks off, for tests.
	RescueOn bool
	Settings service.Settings
}

// LoadConfig reads the environment; its error lists every problem.
func LoadConfig(lookup config.Lookup) (Config, error) {
	r := config.NewReader(lookup)
	c := Config{
		DatabaseURL:        r.String("PAYMENTS_DATABASE_URL", r.String("DATABASE_URL", "")),
		Listen:             r.Listen("PAYMENTS_GRPC_LISTEN", r.String("PAYMENTS_GRPC_ADDR", "127.0.0.1:9102")),
		OrdersAddr:         r.String("ORDERS_GRPC_ADDR", "127.0.0.1:9101"),
		ReconciliationAddr: r.String("RECONCILIATION_GRPC_ADDR", "127.0.0.1:9105"),
		AdminTokensFile:    r.String("ADMIN_TOKENS_FILE", ""),
		ServiceTokensFile:  r.String("SERVICE_TOKENS_FILE", ""),
		Stripe: stripegw.Config{
			SecretKey: r.Required("STRIPE_SECRET_KEY", "the key of the Stripe account (sk_test_… or sk_live_…)"),
			BaseURL:   r.URL("STRIPE_API_BASE", ""),
			Timeout:   r.Duration("STRIPE_TIMEOUT", 8*time.Second),
			AppID:     r.String("APP_ID", "makegood"),
		},
		Settings: service.Settings{WebhookSecrets: r.List("STRIPE_WEBHOOK_SECRETS")},
	}
	c.Settings.RescueAfter, c.RescueOn = r.DurationOrOff("RESCUE_AFTER", 30*time.Second)
	if c.DatabaseURL == "" {
		r.Problem("PAYMENTS_DATABASE_URL (or DATABASE_URL) is not set: the PostgreSQL that keeps the payments")
	}
	if len(c.Settings.WebhookSecrets) == 0 {
		r.Problem("STRIPE_WEBHOOK_SECRETS is not set: without a secret no webhook can be believed")
	}
	if key := c.Stripe.SecretKey; key != "" && !strings.HasPrefix(key, "sk_") && !strings.HasPrefix(key, "rk_") {
		r.Problem("STRIPE_SECRET_KEY is not a secret key (sk_… or rk_…)")
	}
	return c, r.Err()
}
