package payments_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"makegood.example/services/payments"
)

func env(values map[string]string) func(string) (string, bool) {
	return func(key string) (string, bool) { v, ok := values[key]; return v, ok }
}

func TestEveryBadSettingIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := payments.LoadConfig(env(map[string]string{
		"PAYMENTS_GRPC_LISTEN": "0.0.0.0:9102",
		"STRIPE_SECRET_KEY":    "pk_test_public",
		"STRIPE_API_BASE":      "ftp://stripe",
		"STRIPE_TIMEOUT":       "soon",
		"RESCUE_AFTER":         "-1s",
		"MATCH_BY_EMAIL":       "maybe",
	}))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, name := range []string{"PAYMENTS_DATABASE_URL", "PAYMENTS_GRPC_LISTEN", "STRIPE_SECRET_KEY", "STRIPE_API_BASE", "STRIPE_TIMEOUT", "STRIPE_WEBHOOK_SECRETS", "RESCUE_AFTER", "MATCH_BY_EMAIL"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "pk_test_public") {
		t.Errorf("a key is repeated in: %v", err)
	}
	if _, err := payments.LoadConfig(env(nil)); err == nil || !strings.Contains(err.Error(), "STRIPE_SECRET_KEY") {
		t.Errorf("nothing set: %v", err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("rk_live_restricted\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := payments.LoadConfig(env(map[string]string{
		"DATABASE_URL": "postgres://db.example.com/makegood", "STRIPE_SECRET_KEY_FILE": key,
		"STRIPE_WEBHOOK_SECRETS": " whsec_a, whsec_b ,", "RESCUE_AFTER": "off",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Stripe.SecretKey != "rk_live_restricted" || cfg.RescueOn || cfg.Settings.RescueAfter != 30*time.Second ||
		len(cfg.Settings.WebhookSecrets) != 2 || cfg.Settings.WebhookSecrets[1] != "whsec_b" || cfg.Stripe.BaseURL != "" ||
		cfg.Stripe.Timeout != 8*time.Second || cfg.Stripe.AppID != "makegood" || cfg.Listen != "127.0.0.1:9102" || cfg.Settings.MatchByEmail {
		t.Errorf("%+v", cfg)
	}
}
