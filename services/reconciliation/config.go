package reconciliation

import (
	"time"

	"makegood.example/services/platform/config"
	"makegood.example/services/platform/host"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/service"
)

// Config is what Reconciliation is told.
type Config struct {
	host.Config
	OrdersAddr, PaymentsAddr, ProvisioningAddr, NotificationsAddr string
	// Addr is where this service is reached, as it is written into calls for people.
	Addr string
	// Scheduled: without it there are only the runs started by hand.
	Scheduled bool
	Settings  service.Settings
	House     desk.House
}

// LoadConfig reads the environment; its error lists every problem.
func LoadConfig(lookup config.Lookup) (Config, error) {
	r := config.NewReader(lookup)
	c := Config{
		Config:     host.LoadConfig(r, "RECONCILIATION"),
		OrdersAddr: host.PeerAddr(r, "ORDERS"), PaymentsAddr: host.PeerAddr(r, "PAYMENTS"),
		ProvisioningAddr: host.PeerAddr(r, "PROVISIONING"), NotificationsAddr: host.PeerAddr(r, "NOTIFICATIONS"),
		Addr: host.PeerAddr(r, "RECONCILIATION"),
		Settings: service.Settings{
			StuckAfter:     r.Duration("STUCK_AFTER", 5*time.Minute),
			Overlap:        r.Duration("RECONCILE_OVERLAP", 10*time.Minute),
			DeepPassEvery:  r.Duration("DEEP_PASS_EVERY", 24*time.Hour),
			DeepPassWindow: r.Duration("DEEP_PASS_WINDOW", 180*24*time.Hour),

			DeepPassReaders: r.Int("DEEP_PASS_READERS", 4, 1),
		},
	}
	appURL := r.URL("APP_URL", "http://127.0.0.1:8080")
	c.House = desk.House{
		AppName: r.String("APP_NAME", "Your app"), LoginURL: r.URL("LOGIN_URL", appURL+"/login"),
		RefundDays: r.String("REFUND_DAYS", "5 to 10 business days"), ApologyAfter: r.Duration("APOLOGY_AFTER", 10*time.Second),
	}
	c.Settings.Every, c.Scheduled = r.DurationOrOff("RECONCILE_EVERY", 2*time.Minute)
	if c.Scheduled { // else whoever starts a run knows what is going on
		c.Settings.Settles = min(settlesMax, c.Settings.Every/4)
		c.Settings.EventsLag = c.Settings.Settles + c.Settings.Every
	}
	return c, r.Err()
}

// settlesMax is how long a new charge is left to its buyer's own request. A
// request takes seconds; the first look of the order's own comes at half a minute.
const settlesMax = 10 * time.Second
