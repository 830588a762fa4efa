package payments

import (
	"strings"
	"time"

	"makegood.example/services/payments/internal/ownership"
	"makegood.example/services/payments/internal/service"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/platform/config"
	"makegood.example/services/platform/host"
)

// bodiesAtLeast is the shortest time for which bodies of events are kept.
const bodiesAtLeast = 30 * 24 * time.Hour

// Config is what Payments is told.
type Config struct {
	host.Config
	OrdersAddr         string
	ReconciliationAddr string
	ProvisioningAddr   string
	Stripe             stripegw.Config
	// RescueOn: false switches the attempts' own looks off, for tests.
	RescueOn bool
	Settings service.Settings
}

// LoadConfig reads the environment; its error lists every problem.
func LoadConfig(lookup config.Lookup) (Config, error) {
	r := config.NewReader(lookup)
	c := Config{
		Config:             host.LoadConfig(r, "PAYMENTS"),
		OrdersAddr:         host.PeerAddr(r, "ORDERS"),
		ReconciliationAddr: host.PeerAddr(r, "RECONCILIATION"),
		ProvisioningAddr:   host.PeerAddr(r, "PROVISIONING"),
		Stripe: stripegw.Config{
			SecretKey: r.Required("STRIPE_SECRET_KEY", "the key of the Stripe account (sk_test_… or sk_live_…)"),
			BaseURL:   r.URL("STRIPE_API_BASE", ""),
			Timeout:   r.Duration("STRIPE_TIMEOUT", 8*time.Second),
			AppID:     r.String("APP_ID", "makegood"),
		},
		Settings: service.Settings{
			WebhookSecrets: r.List("STRIPE_WEBHOOK_SECRETS"),
			PublicURL:      r.URL("PUBLIC_URL", "http://127.0.0.1:8080"),
		},
	}
	c.Stripe.ReadsPerSecond = r.Int("STRIPE_READS_PER_SECOND", readsPerSecond(c.Stripe), 0)
	c.Settings.RescueAfter, c.RescueOn = r.DurationOrOff("RESCUE_AFTER", 30*time.Second)
	c.Settings.MatchByEmail = isOn(r, "MATCH_BY_EMAIL")
	if c.Settings.RawBodyRetention = r.Duration("RAW_BODY_RETENTION", 180*24*time.Hour); c.Settings.RawBodyRetention < bodiesAtLeast {
		r.Problem("RAW_BODY_RETENTION=%s is less than %s: events may still be delivered, disputed or handled again", c.Settings.RawBodyRetention, bodiesAtLeast)
	}
	c.Stripe.PromotionCodes = isOn(r, "CHECKOUT_PROMOTION_CODES")
	if path := r.String("OWNERSHIP_FILE", ""); path != "" {
		var problems []string
		c.Settings.Ownership, problems = ownership.Load(path)
		for _, problem := range problems {
			r.Problem("OWNERSHIP_FILE=%s: %s", path, problem)
		}
	}
	if len(c.Settings.WebhookSecrets) == 0 {
		r.Problem("STRIPE_WEBHOOK_SECRETS is not set: without a secret no webhook can be believed")
	}
	if key := c.Stripe.SecretKey; key != "" && !strings.HasPrefix(key, "sk_") && !strings.HasPrefix(key, "rk_") {
		r.Problem("STRIPE_SECRET_KEY is not a secret key (sk_… or rk_…)")
	}
	return c, r.Err()
}

// isOn reads a switch that is off unless it is said to be on.
func isOn(r *config.Reader, name string) bool {
	on := r.String(name, "off")
	if on != "on" && on != "off" {
		r.Problem("%s is %q, and not on or off", name, on)
	}
	return on == "on"
}

// readsPerSecond is half of what Stripe allows with a key: about 100 a second with
// a live one, and 25 with one for tests. Another server says itself what is too much.
func readsPerSecond(c stripegw.Config) int {
	switch {
	case c.BaseURL != "":
		return 0
	case strings.HasPrefix(c.SecretKey, "sk_live_"), strings.HasPrefix(c.SecretKey, "rk_live_"):
		return 50
	default:
		return 12
	}
}
