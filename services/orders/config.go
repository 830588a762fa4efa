package orders

import (
	"time"

	"makegood.example/services/orders/internal/plans"
	"makegood.example/services/orders/internal/service"
	"makegood.example/services/platform/config"
	"makegood.example/services/platform/host"
)

// Config is what Orders is told.
type Config struct {
	host.Config
	PaymentsAddr       string
	ProvisioningAddr   string
	NotificationsAddr  string
	ReconciliationAddr string
	Plans              plans.Plans
	// RescueOn: false switches the looks off, for tests.
	RescueOn bool
	Settings service.Settings
}

// LoadConfig reads the environment; its error lists every problem.
func LoadConfig(lookup config.Lookup) (Config, error) {
	r := config.NewReader(lookup)
	c := Config{
		Config:             host.LoadConfig(r, "ORDERS"),
		PaymentsAddr:       host.PeerAddr(r, "PAYMENTS"),
		ProvisioningAddr:   host.PeerAddr(r, "PROVISIONING"),
		NotificationsAddr:  host.PeerAddr(r, "NOTIFICATIONS"),
		ReconciliationAddr: host.PeerAddr(r, "RECONCILIATION"),
		Settings: service.Settings{
			ApologyAfter:       r.Duration("APOLOGY_AFTER", 10*time.Second),
			RefundOfferFor:     r.Duration("REFUND_OFFER_FOR", 14*24*time.Hour),
			ChargeWithin:       r.Duration("CHARGE_WITHIN", 5*time.Minute),
			ExpiresAfter:       r.Duration("ORDER_EXPIRES_AFTER", 24*time.Hour),
			AccessEndingNotice: r.Duration("ACCESS_ENDING_NOTICE", 7*24*time.Hour),
			LimitPerOrder:      r.Int("ATTEMPTS_PER_ORDER", 10, 1),
			LimitPerEmail:      r.Int("ATTEMPTS_PER_EMAIL", 20, 1),
			LimitPerIP:         r.Int("ATTEMPTS_PER_IP", 100, 1),
		},
	}
	c.Settings.StillWorkingAfter = r.Duration("STILL_WORKING_AFTER", max(2*time.Minute, c.Settings.ApologyAfter))
	c.Settings.RescueAfter, c.RescueOn = r.DurationOrOff("RESCUE_AFTER", 30*time.Second)
	if c.RescueOn && c.Settings.ApologyAfter >= c.Settings.RescueAfter {
		r.Problem("APOLOGY_AFTER=%s must be below RESCUE_AFTER=%s: a rescued buyer has waited and is owed the apology", c.Settings.ApologyAfter, c.Settings.RescueAfter)
	}
	if c.Settings.StillWorkingAfter < c.Settings.ApologyAfter {
		r.Problem("STILL_WORKING_AFTER=%s must not be below APOLOGY_AFTER=%s: only who has waited is told that they wait", c.Settings.StillWorkingAfter, c.Settings.ApologyAfter)
	}
	var err error
	if c.Plans, err = plans.Load(r.String("PLANS_FILE", "")); err != nil {
		r.Problem("%v", err)
	}
	return c, r.Err()
}
