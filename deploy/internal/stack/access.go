package stack

import (
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/config"
)

// Env is a value of the environment in which the processes run; for
// DATABASE_URL, the way into the database as its owner.
func (s *Stack) Env(key string) string {
	if key == "DATABASE_URL" {
		return s.owner
	}
	return s.settings.env[key]
}

// Dir is the state folder.
func (s *Stack) Dir() string { return s.dir }

// URL is the edge: REST, pages, the webhook entrance.
func (s *Stack) URL() string { return "http://" + config.Dialable(s.Env("HTTP_ADDR")) }

// AdminURL is the console and the admin REST.
func (s *Stack) AdminURL() string { return "http://" + config.Dialable(s.Env("ADMIN_ADDR")) }

// InboxURL is the mail inbox; empty when a real mail server is used.
func (s *Stack) InboxURL() string {
	if !s.settings.inbox {
		return ""
	}
	return "http://" + config.Dialable(s.Env("INBOX_HTTP_ADDR"))
}

// MetricsURL is where all processes' metrics are; empty when they are off.
func (s *Stack) MetricsURL() string {
	addr := s.Env("METRICS_ADDR")
	if addr == "" || strings.HasPrefix(addr, "unix:") {
		return addr
	}
	return "http://" + config.Dialable(addr) + "/metrics"
}

// AppURL is the SaaS's own app, to which links in mails lead; empty when it is
// kept in a file.
func (s *Stack) AppURL() string { return s.Env("APP_URL") }

// Warnings are what the settings leave wrong for real customers.
func (s *Stack) Warnings() []string { return s.settings.warnings }

// StripeURL is the Stripe simulator; empty when a real one is used.
func (s *Stack) StripeURL() string {
	if !s.settings.simulator {
		return ""
	}
	return s.Env("STRIPE_API_BASE")
}

// DB is the database as its owner, who may look into every schema.
func (s *Stack) DB() *pgxpool.Pool { return s.db }

// Token reads a development credential, "admin" or "service".
func (s *Stack) Token(name string) (string, error) {
	body, err := os.ReadFile(rawToken(s.dir, name))
	return strings.TrimSpace(string(body)), err
}

// Names are the running processes, in the order of their start.
func (s *Stack) Names() []string { return s.group.Names() }

// PID is the id of a working process.
func (s *Stack) PID(name string) (int, error) { return s.group.PID(name) }

// Kill ends a process with SIGKILL and returns when it is dead; the supervisor
// starts it again at once.
func (s *Stack) Kill(name string) error { return s.group.Kill(name) }

// Hold ends a process with SIGKILL and keeps it down until Release.
func (s *Stack) Hold(name string) error { return s.group.Hold(name) }

// Release lets a held process start again.
func (s *Stack) Release(name string) error { return s.group.Release(name) }

// Restart lets a process drain and end, and starts it again.
func (s *Stack) Restart(name string) error { return s.group.Restart(name) }

// LogTail is the end of what a process logged in this run.
func (s *Stack) LogTail(name string, lines int) string { return s.group.Tail(name, lines) }
