package reconciliation

import (
	"time"

	"makegood.example/services/platform/config"
	"makegood.example/services/platform/host"
	"makegood.example/services/reconciliation/internal/service"
)

// Config is what Reconciliation is told.
type Config struct {
	host.Config
	OrdersAddr string
	// Scheduled: without it there are only the runs started by hand.
	Scheduled bool
	Settings  service.Settings
}

// LoadConfig reads the environment; its error lists every problem.
func LoadConfig(lookup config.Lookup) (Config, error) {
	r := config.NewReader(lookup)
	c := Config{
		Config:     host.LoadConfig(r, "RECONCILIATION"),
		OrdersAddr: host.PeerAddr(r, "ORDERS"),
		Settings:   service.Settings{StuckAfter: r.Duration("STUCK_AFTER", 5*time.Minute)},
	}
	c.Settings.Every, c.Scheduled = r.DurationOrOff("RECONCILE_EVERY", 2*time.Minute)
	return c, r.Err()
}
