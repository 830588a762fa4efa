package stack

import (
	"slices"
	"strings"
)

// secrets are the settings that only some processes are given: whoever reads
// the environment of the edge must not find the keys to the money. DATABASE_URL
// is the owner's and goes to none of them; only the migration, here, uses it.
var secrets = map[string][]string{
	"DATABASE_URL":                nil,
	"ORDERS_DATABASE_URL":         {"orders"},
	"PAYMENTS_DATABASE_URL":       {"payments"},
	"PROVISIONING_DATABASE_URL":   {"provisioning"},
	"NOTIFICATIONS_DATABASE_URL":  {"notifications"},
	"RECONCILIATION_DATABASE_URL": {"reconciliation"},
	"STRIPE_SECRET_KEY":           {"payments"},
	"STRIPE_WEBHOOK_SECRETS":      {"payments", "stripesim"},
	"SMTP_URL":                    {"notifications"},
	"ACCESS_HOOK_SECRETS":         {"provisioning"},
	"SLACK_BOT_TOKEN":             {"notifications"},
	"SLACK_WEBHOOK_URL":           {"notifications"},
	// The gateway forwards a token; the service that is asked judges it.
	"ADMIN_TOKENS_FILE":        services,
	"SERVICE_TOKENS_FILE":      services,
	"INBOX_SERVICE_TOKEN_FILE": {"inbox"},
	// A collector's password is among its headers.
	"OTEL_EXPORTER_OTLP_HEADERS":        measured,
	"OTEL_EXPORTER_OTLP_TRACES_HEADERS": measured,
}

// GivenTo says which processes are given a setting that is secret; secret is false
// for one that every process may read.
func GivenTo(setting string) (processes []string, secret bool) {
	processes, secret = secrets[setting]
	return slices.Clone(processes), secret
}

// Withheld says whether a process is not given a setting, nor the file (_FILE)
// that holds it.
func Withheld(key, process string) bool {
	for _, k := range []string{key, strings.TrimSuffix(key, "_FILE")} {
		if who, ok := secrets[k]; ok {
			return !slices.Contains(who, process)
		}
	}
	return false
}
