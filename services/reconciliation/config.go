package reconciliation

import (
	"time"

	"makegood.example/services/platform/config"
	"makegood.example/services/reconciliation/internal/service"
)

// Config is what the environment sets.
type Config struct {
	// DatabaseURL connects as the service's own role.
	DatabaseURL string
	// Listen is the loopback address of the gRPC server.
	Listen string
	// OrdersAddr is where Orders is, a comma list for several.
	OrdersAddr string
	// Every is the time between scheduled runs. Without Scheduled there are only
	// those started by hand.
	Every     time.Duration
	Scheduled bool
	// Settings are for the use cases.
	Settings service.Settings
	// AdminTokensFile and ServiceTokensFile name people and the SaaS's backend;
	// without them nobody but services may call.
	AdminTokensFile, ServiceTokensFile string
}

// LoadConfig reads the settings. Its error lists every problem.
func LoadConfig(lookup config.Lookup) (Config, error) {
	r := config.NewReader(lookup)
	c := Config{
		DatabaseURL:       r.String("RECONCILIATION_DATABASE_URL", r.String("DATABASE_URL", "")),
		Listen:            r.Listen("RECONCILIATION_GRPC_LISTEN", r.String("RECONCILIATION_GRPC_ADDR", "127.0.0.1:9105")),
		OrdersAddr:        r.String("ORDERS_GRPC_ADDR", "127.0.0.1:9101"),
		Settings:          service.Settings{StuckAfter: r.Duration("STUCK_AFTER", 5*time.Minute)},
		AdminTokensFile:   r.String("ADMIN_TOKENS_FILE", ""),
		ServiceTokensFile: r.String("SERVICE_TOKENS_FILE", ""),
	}
	c.Every, c.Scheduled = r.DurationOrOff("RECONCILE_EVERY", 2*time.Minute)
	if c.DatabaseURL == "" {
		r.Problem("RECONCILIATION_DATABASE_URL is not set (nor DATABASE_URL): where runs and cases are kept")
	}
	return c, r.Err()
}
