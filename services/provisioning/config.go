package provisioning

import (
	"time"

	"makegood.example/services/platform/config"
	"makegood.example/services/platform/host"
	"makegood.example/services/provisioning/internal/service"
)

// Config is what Provisioning is told.
type Config struct {
	host.Config
	Settings service.Settings
}

// LoadConfig reads the environment; its error lists every problem.
func LoadConfig(lookup config.Lookup) (Config, error) {
	r := config.NewReader(lookup)
	appURL := r.URL("APP_URL", "http://127.0.0.1:8080")
	c := Config{
		Config: host.LoadConfig(r, "PROVISIONING"),
		Settings: service.Settings{
			AppURL:          appURL,
			LoginURL:        r.URL("LOGIN_URL", appURL+"/login"),
			ActivationLasts: r.Duration("ACTIVATION_LASTS", 7*24*time.Hour),
			GracePeriod:     r.Duration("GRACE_PERIOD", 7*24*time.Hour),
		},
	}
	return c, r.Err()
}
