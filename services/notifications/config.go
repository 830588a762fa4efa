package notifications

import (
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"makegood.example/services/notifications/internal/incident"
	render "makegood.example/services/notifications/internal/mail"
	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/notifications/internal/slack"
	"makegood.example/services/platform/config"
	"makegood.example/services/platform/host"
)

// Config is what the service is told by its environment.
type Config struct {
	host.Config
	OrdersAddr, PaymentsAddr, ProvisioningAddr, ReconciliationAddr string
	// Server is the mail server that relays for us.
	Server render.Server
	// From is the sender of every mail; its domain is also the Message-IDs'.
	From mail.Address
	// Brand is what all mails have in common.
	Brand render.Brand
	// PublicURL is where buyers reach the edge: links to their order's page lead there.
	PublicURL string
	// Team is whom alerts go to by mail; may be empty.
	Team []string
	// SlackToken and SlackChannel are a bot's; SlackWebhook is used without them. Each
	// may be empty. SlackAPI is where Slack is.
	SlackToken, SlackChannel, SlackWebhook, SlackAPI string
	// Quiet are the hours in which only what cannot wait is told.
	Quiet incident.Quiet
	// AdminURL is where people reach the console: links of alerts lead there.
	AdminURL string
	// Watched: the sweep is on, every ReconcileEvery, and watched from here.
	Watched        bool
	ReconcileEvery time.Duration
}

// LoadConfig reads the settings and lists every problem at once.
func LoadConfig(lookup config.Lookup) (Config, error) {
	r := config.NewReader(lookup)
	cfg := Config{
		Config:             host.LoadConfig(r, "NOTIFICATIONS"),
		OrdersAddr:         host.PeerAddr(r, "ORDERS"),
		PaymentsAddr:       host.PeerAddr(r, "PAYMENTS"),
		ProvisioningAddr:   host.PeerAddr(r, "PROVISIONING"),
		ReconciliationAddr: host.PeerAddr(r, "RECONCILIATION"),
		PublicURL:          strings.TrimRight(r.URL("PUBLIC_URL", "http://127.0.0.1:8080"), "/"),
		Brand: render.Brand{
			AppName:      r.String("APP_NAME", "Your app"),
			AppURL:       r.URL("APP_URL", ""),
			SupportEmail: r.String("SUPPORT_EMAIL", "support@example.com"),
			RefundDays:   r.String("REFUND_DAYS", "5 to 10 business days"),
		},
	}
	if strings.ContainsFunc(cfg.Brand.AppName, unicode.IsControl) {
		r.Problem("APP_NAME contains control characters")
	}
	if _, err := message.ParseAddress(cfg.Brand.SupportEmail); err != nil {
		r.Problem("SUPPORT_EMAIL=%q is not an email address", cfg.Brand.SupportEmail)
	}
	if raw := r.Required("SMTP_URL", "the mail server, such as smtp://127.0.0.1:1025"); raw != "" {
		server, err := render.ParseServer(raw)
		if err != nil {
			r.Problem("SMTP_URL %v", err)
		}
		cfg.Server = server
	}
	from := r.String("MAIL_FROM", (&mail.Address{Name: cfg.Brand.AppName, Address: "no-reply@example.com"}).String())
	parsed, err := mail.ParseAddress(from)
	if err == nil {
		_, err = message.ParseAddress(parsed.Address)
	}
	if err != nil {
		r.Problem(`MAIL_FROM=%q is not a sender such as "Example <no-reply@example.com>"`, from)
	} else {
		cfg.From = *parsed
	}
	cfg.AdminURL = r.URL("ADMIN_URL", "http://"+r.String("ADMIN_ADDR", "127.0.0.1:8081"))
	cfg.SlackToken, cfg.SlackChannel = r.String("SLACK_BOT_TOKEN", ""), r.String("SLACK_CHANNEL", "")
	cfg.SlackWebhook, cfg.SlackAPI = r.String("SLACK_WEBHOOK_URL", ""), slack.API
	if (cfg.SlackToken == "") != (cfg.SlackChannel == "") {
		r.Problem("SLACK_BOT_TOKEN and SLACK_CHANNEL belong together: set both or none")
	}
	if u, err := url.Parse(cfg.SlackWebhook); err != nil || cfg.SlackWebhook != "" && (u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		r.Problem("SLACK_WEBHOOK_URL is not a web address") // a secret: not quoted
	}
	if hours := r.String("QUIET_HOURS", ""); hours != "" {
		quiet, err := incident.ParseQuiet(hours)
		if err != nil {
			r.Problem("QUIET_HOURS=%q %v", hours, err)
		}
		cfg.Quiet = quiet
	}
	cfg.ReconcileEvery, cfg.Watched = r.DurationOrOff("RECONCILE_EVERY", 2*time.Minute)
	for _, typed := range strings.Split(r.String("ALERT_EMAILS", ""), ",") {
		if strings.TrimSpace(typed) == "" {
			continue
		}
		address, err := message.ParseAddress(strings.TrimSpace(typed))
		if err != nil {
			r.Problem("ALERT_EMAILS: %q is not an email address", strings.TrimSpace(typed))
		}
		if !slices.Contains(cfg.Team, address) {
			cfg.Team = append(cfg.Team, address)
		}
	}
	return cfg, r.Err()
}
