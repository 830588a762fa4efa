package stack

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUserEnvironmentWins(t *testing.T) {
	state := State{WebhookSecret: "whsec_state"}
	secretFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secretFile, []byte("sk_test_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		user                       []string
		simulator, inbox, postgres bool
		want                       map[string]string
	}{
		"nothing set": {nil, true, true, true, map[string]string{
			"HTTP_ADDR": "127.0.0.1:8080", "ADMIN_ADDR": "127.0.0.1:8081",
			"ORDERS_GRPC_ADDR": "127.0.0.1:9101", "ORDERS_GRPC_LISTEN": "127.0.0.1:9101", "RECONCILIATION_GRPC_ADDR": "127.0.0.1:9105",
			"STRIPE_SECRET_KEY": "sk_test_makegood", "STRIPE_PUBLISHABLE_KEY": "pk_test_makegood", "STRIPE_WEBHOOK_SECRETS": "whsec_state",
			"STRIPE_API_BASE": "http://127.0.0.1:12111", "STRIPESIM_WEBHOOK_URL": "http://127.0.0.1:8080/webhooks/stripe",
			"SMTP_URL": "smtp://127.0.0.1:1025", "PUBLIC_URL": "http://127.0.0.1:8080",
			"APP_URL": "http://127.0.0.1:8025/app", "LOGIN_URL": "http://127.0.0.1:8025/app/login",
		}},
		"a Stripe key": {[]string{"STRIPE_SECRET_KEY=sk_live_x", "STRIPE_WEBHOOK_SECRETS=whsec_x"}, false, true, true, map[string]string{
			"STRIPE_SECRET_KEY": "sk_live_x", "STRIPE_WEBHOOK_SECRETS": "whsec_x", "STRIPE_API_BASE": "", "STRIPE_PUBLISHABLE_KEY": "", "STRIPESIM_ADDR": "",
		}},
		"a Stripe key in a file": {[]string{"STRIPE_SECRET_KEY_FILE=" + secretFile}, false, true, true, map[string]string{"STRIPE_SECRET_KEY": "", "STRIPE_API_BASE": ""}},
		"another server that speaks Stripe": {[]string{"STRIPE_API_BASE=http://127.0.0.1:9", "STRIPE_WEBHOOK_SECRETS=whsec_x"}, false, true, true, map[string]string{
			"STRIPE_SECRET_KEY": "sk_test_makegood", "STRIPE_API_BASE": "http://127.0.0.1:9",
		}},
		"a secret for the simulator": {[]string{"STRIPE_WEBHOOK_SECRETS=whsec_a,whsec_b"}, true, true, true, map[string]string{"STRIPE_WEBHOOK_SECRETS": "whsec_a,whsec_b"}},
		"a mail server": {[]string{"SMTP_URL=smtps://mail.example.com", "MAIL_FROM=shop@example.com"}, true, false, true, map[string]string{
			"SMTP_URL": "smtps://mail.example.com", "MAIL_FROM": "shop@example.com", "INBOX_SMTP_ADDR": "",
			"APP_URL": "http://127.0.0.1:8080", "INBOX_SERVICE_TOKEN_FILE": "",
		}},
		"a database": {[]string{"DATABASE_URL=postgres://x@127.0.0.1/shop"}, true, true, false, map[string]string{"DATABASE_URL": "postgres://x@127.0.0.1/shop"}},
		"replicas":   {[]string{"ORDERS_GRPC_ADDR=127.0.0.1:1, 127.0.0.1:2"}, true, true, true, map[string]string{"ORDERS_GRPC_LISTEN": "127.0.0.1:1"}},
		"every interface": {[]string{"HTTP_ADDR=:8000"}, true, true, true, map[string]string{
			"HTTP_ADDR": ":8000", "PUBLIC_URL": "http://127.0.0.1:8000", "STRIPESIM_WEBHOOK_URL": "http://127.0.0.1:8000/webhooks/stripe",
		}},
		"names": {[]string{"APP_NAME=Shop", "APP_URL=https://shop.example.com/", "HTTP_ADDR="}, true, true, true, map[string]string{
			"APP_NAME": "Shop", "LOGIN_URL": "https://shop.example.com/login", "HTTP_ADDR": "127.0.0.1:8080",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := resolve(t.TempDir(), c.user, false, state)
			if err != nil {
				t.Fatal(err)
			}
			if s.simulator != c.simulator || s.inbox != c.inbox || s.postgres != c.postgres {
				t.Errorf("simulator %v inbox %v postgres %v", s.simulator, s.inbox, s.postgres)
			}
			for key, want := range c.want {
				if s.env[key] != want {
					t.Errorf("%s=%q, want %q", key, s.env[key], want)
				}
			}
		})
	}
}

// With a real mail server, what customers would find wrong is said.
func TestMailsToPeopleNeedTheirAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		user []string
		want []string
	}{
		"nothing leaves this machine": {nil, nil},
		"a mail server alone":         {[]string{"SMTP_URL=smtp://mail.example.com", "PUBLIC_URL=https://pay.example.com"}, []string{"https://pay.example.com", "MAIL_FROM", "SUPPORT_EMAIL"}},
		"in a file":                   {[]string{"SMTP_URL_FILE=/none", "APP_URL=https://app.example.com", "SUPPORT_EMAIL=help@example.com"}, []string{"MAIL_FROM"}},
		"all of it":                   {[]string{"SMTP_URL=smtp://mail.example.com", "APP_URL_FILE=/none", "MAIL_FROM=hello@example.com", "SUPPORT_EMAIL=help@example.com"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := resolve(t.TempDir(), c.user, false, State{})
			if err != nil {
				t.Fatal(err)
			}
			if len(s.warnings) != len(c.want) {
				t.Fatalf("warnings %q", s.warnings)
			}
			for i, want := range c.want {
				if !strings.Contains(s.warnings[i], want) {
					t.Errorf("%q does not name %s", s.warnings[i], want)
				}
			}
			if strings.HasPrefix(s.env["LOGIN_URL"], "/") {
				t.Errorf("LOGIN_URL=%s", s.env["LOGIN_URL"])
			}
		})
	}
}

func TestAnotherStripeNeedsItsWebhookSecret(t *testing.T) {
	_, err := resolve(t.TempDir(), []string{"STRIPE_API_BASE=http://127.0.0.1:9"}, false, State{WebhookSecret: "whsec_state"})
	if err == nil || !strings.Contains(err.Error(), "STRIPE_WEBHOOK_SECRETS") {
		t.Fatalf("error %v", err)
	}
}

func TestTakenAddressIsNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s, err := resolve(t.TempDir(), nil, true, State{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.checkFree(); err != nil {
		t.Fatalf("free ports: %v", err)
	}
	s.env["ADMIN_ADDR"] = taken.Addr().String()
	if err := s.checkFree(); err == nil || !strings.Contains(err.Error(), "set ADMIN_ADDR to another address") || strings.Contains(err.Error(), "HTTP_ADDR ") {
		t.Errorf("error %v", err)
	}
}
