package provisioning

import (
	"time"

	"makegood.example/services/platform/config"
	"makegood.example/services/provisioning/internal/service"
)

// Config is what the environment sets.
type Config struct {
	// DatabaseURL connects as the service's own role.
	DatabaseURL string
	// Listen is the loopback address of the gRPC server.
	Listen string
	// Settings are for the use cases.
	Settings service.Settings
	// AdminTokensFile and ServiceTokensFile name people and the SaaS's backend;
	// without them nobody but services may call.
	AdminTokensFile, ServiceTokensFile string
}

// LoadConfig reads the settings. Its error lists every problem.
func LoadConfig(lookup config.Lookup) (Config, error) {
	r := config.NewReader(lookup)
	appURL := r.URL("APP_URL", "http://127.0.0.1:8080")
	c := Config{
		DatabaseURL: r.String("PROVISIONING_DATABASE_URL", r.String("DATABASE_URL", "")),
		Listen:      r.Listen("PROVISIONING_GRPC_LISTEN", r.String("PROVISIONING_GRPC_ADDR", "127.0.0.1:9103")),
		Settings: service.Settings{
			AppURL:          appURL,
			LoginURL:        r.URL("LOGIN_URL", appURL+"/login"),
			ActivationLasts: r.Duration("ACTIVATION_LASTS", 7*24*time.Hour),
		},
		AdminTokensFile:   r.String("ADMIN_TOKENS_FILE", ""),
		ServiceTokensFile: r.String("SERVICE_TOKENS_FILE", ""),
	}
	if c.DatabaseURL == "" {
		r.Problem("PROVISIONING_DATABASE_URL is not set (nor DATABASE_URL): where accounts and grants are kept")
	}
	return c, r.Err()
}
