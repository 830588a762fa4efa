package provisioning

import (
	"strings"
	"time"

	"makegood.example/services/platform/config"
	"makegood.example/services/platform/host"
	"makegood.example/services/provisioning/internal/app"
	"makegood.example/services/provisioning/internal/service"
)

// Config is what Provisioning is told.
type Config struct {
	host.Config
	Settings service.Settings
	// App is told of changes of access; nil for nobody.
	App *app.App
	// ReconciliationAddr is who opens cases.
	ReconciliationAddr string
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
	c.ReconciliationAddr = host.PeerAddr(r, "RECONCILIATION")
	c.App = loadApp(r)
	return c, r.Err()
}

// loadApp reads where hooks go; nil for nowhere.
func loadApp(r *config.Reader) *app.App {
	hookURL := r.URL("ACCESS_HOOK_URL", "")
	secrets := r.List("ACCESS_HOOK_SECRETS")
	allowPrivate := r.Bool("ACCESS_HOOK_ALLOW_PRIVATE", false)
	if hookURL == "" {
		if len(secrets) > 0 {
			r.Problem("ACCESS_HOOK_SECRETS is set without ACCESS_HOOK_URL: where changes of access are told")
		}
		return nil
	}
	if strings.HasPrefix(hookURL, "http://") && !allowPrivate {
		r.Problem("ACCESS_HOOK_URL must be https:// (or set ACCESS_HOOK_ALLOW_PRIVATE=true, in a network of your own)")
	}
	a, err := app.New(hookURL, secrets, allowPrivate)
	if err != nil {
		r.Problem("ACCESS_HOOK_SECRETS: %v", err)
	}
	return a
}
