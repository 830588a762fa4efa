package orders

import (
	"time"

	"makegood.example/services/orders/internal/plans"
	"makegood.example/services/orders/internal/service"
	"makegood.example/services/platform/config"
)

// Config is what Orders is told.
type Config struct {
	DatabaseURL        string
	Listen             string
	PaymentsAddr       string
	ProvisioningAddr   string
	NotificationsAddr  string
	ReconciliationAddr string
	AdminTokensFile    string
	ServiceTokensFile  string
	Plans              plans.Plans
	// RescueOn: false switches the looks off, for tests.
	RescueOn bool
	Settings service.Settings
}

// LoadConfig reads the environment; its error lists every problem.
func LoadConfig(lookup config.Lookup) (Config, error) {
	r := config.NewReader(lookup)
	c := Config{
		DatabaseURL:        r.String("ORDERS_DATABASE_URL", r.String("DATABASE_URL", "")),
		Listen:             r.Listen("ORDERS_GRPC_LISTEN", r.String("ORDERS_GRPC_ADDR", "127.0.0.1:9101")),
		PaymentsAddr:       r.String("PAYMENTS_GRPC_ADDR", "127.0.0.1:9102"),
		ProvisioningAddr:   r.String("PROVISIONING_GRPC_ADDR", "127.0.0.1:9103"),
		NotificationsAddr:  r.String("NOTIFICATIONS_GRPC_ADDR", "127.0.0.1:9104"),
		ReconciliationAddr: r.String("RECONCILIATION_GRPC_ADDR", "127.0.0.1:9105"),
		AdminTokensFile:    r.String("ADMIN_TOKENS_FILE", ""),
		ServiceTokensFile:  r.String("SERVICE_TOKENS_FILE", ""),
		Settings: service.Settings{
			ApologyAfter:  r.Duration("APOLOGY_AFTER", 10*time.Second),
			ChargeWithin:  r.Duration("CHARGE_WITHIN", 5*time.Minute),
			ExpiresAfter:  r.Duration("ORDER_EXPIRES_AFTER", 24*time.Hour),
			LimitPerOrder: r.Int("ATTEMPTS_PER_ORDER", 10, 1),
			LimitPerEmail: r.Int("ATTEMPTS_PER_EMAIL", 20, 1),
			LimitPerIP:    r.Int("ATTEMPTS_PER_IP", 100, 1),
		},
	}
	c.Settings.RescueAfter, c.RescueOn = r.DurationOrOff("RESCUE_AFTER", 30*time.Second)
	if c.DatabaseURL == "" {
		r.Problem("ORDERS_DATABASE_URL (or DATABASE_URL) is not set: the PostgreSQL that keeps the orders")
	}
	if c.RescueOn && c.Settings.ApologyAfter >= c.Settings.RescueAfter {
		r.Problem("APOLOGY_AFTER=%s must be below RESCUE_AFTER=%s: a rescued buyer has waited and is owed the apology", c.Settings.ApologyAfter, c.Settings.RescueAfter)
	}
	var err error
	if c.Plans, err = plans.Load(r.String("PLANS_FILE", "")); err != nil {
		r.Problem("%v", err)
	}
	return c, r.Err()
}
