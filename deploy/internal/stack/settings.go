package stack

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"makegood.example/services/platform/config"
)

// addresses are what listens, with the defaults of the development stack.
var addresses = []struct{ key, standard string }{
	{"HTTP_ADDR", "127.0.0.1:8080"},
	{"ADMIN_ADDR", "127.0.0.1:8081"},
	{"ORDERS_GRPC_ADDR", "127.0.0.1:9101"},
	{"PAYMENTS_GRPC_ADDR", "127.0.0.1:9102"},
	{"PROVISIONING_GRPC_ADDR", "127.0.0.1:9103"},
	{"NOTIFICATIONS_GRPC_ADDR", "127.0.0.1:9104"},
	{"RECONCILIATION_GRPC_ADDR", "127.0.0.1:9105"},
	{"STRIPESIM_ADDR", "127.0.0.1:12111"},
	{"INBOX_HTTP_ADDR", "127.0.0.1:8025"},
	{"INBOX_SMTP_ADDR", "127.0.0.1:1025"},
	{"METRICS_ADDR", ""}, // off, unless the user says where
}

// The keys that the simulator takes.
const (
	simulatorKey            = "sk_test_makegood"
	simulatorPublishableKey = "pk_test_makegood"
)

// settings is the environment of the stack: what the user set, completed.
type settings struct {
	env       map[string]string
	simulator bool // no Stripe was named
	inbox     bool // no mail server was named
	postgres  bool // no database was named
	warnings  []string

	certificates string // the folder of those that were made here, if any
}

// resolve completes the user's environment. A value that the user set is never
// changed, except that with freePorts every listener gets an address of its own.
func resolve(dir string, user []string, freePorts bool, state State) (*settings, error) {
	s := &settings{env: map[string]string{}}
	for _, pair := range user {
		if key, value, ok := strings.Cut(pair, "="); ok {
			s.env[key] = value
		}
	}
	s.simulator = !s.given("STRIPE_SECRET_KEY") && !s.given("STRIPE_API_BASE")
	s.inbox = !s.given("SMTP_URL")
	s.postgres = !s.given("DATABASE_URL")

	s.env["MAKEGOOD_DIR"] = dir
	if err := s.placeListeners(freePorts); err != nil {
		return nil, err
	}
	public := "http://" + config.Dialable(s.env["HTTP_ADDR"])
	if freePorts { // beside another stack: what belongs to that one is not ours
		s.env["PUBLIC_URL"] = public
		delete(s.env, "STRIPESIM_DATA")
		delete(s.env, "INBOX_DIR")
		delete(s.env, "INBOX_SERVICE_TOKEN_FILE")
	}
	s.standard("PUBLIC_URL", public)
	s.standard("APP_NAME", "Makegood")
	s.standard("APP_ID", "makegood")
	s.chooseApp()

	if err := s.chooseStripe(dir, public, state); err != nil {
		return nil, err
	}
	if s.inbox {
		s.standard("INBOX_DIR", filepath.Join(dir, "inbox"))
		s.env["SMTP_URL"] = "smtp://" + config.Dialable(s.env["INBOX_SMTP_ADDR"])
	} else {
		delete(s.env, "INBOX_HTTP_ADDR")
		delete(s.env, "INBOX_SMTP_ADDR")
	}
	var err error
	if s.certificates, err = s.chooseCertificates(dir, freePorts); err != nil {
		return nil, err
	}
	return s, s.chooseTokens(dir)
}

// chooseApp says where the SaaS's own app is, and who writes to its customers.
// The stand-in beside the inbox is for mails that stay on this machine; where
// mails are real, what is missing is said.
func (s *settings) chooseApp() {
	app := "http://" + config.Dialable(s.env["INBOX_HTTP_ADDR"]) + "/app"
	if !s.inbox {
		app = s.env["PUBLIC_URL"]
		if !s.given("APP_URL") {
			s.warn("APP_URL is not set: the links in mails lead to %s, which is the shop itself, until it is", cmp.Or(app, "PUBLIC_URL"))
		}
		if !s.given("MAIL_FROM") {
			s.warn("MAIL_FROM is not set: mails come from hello@makegood.example, which mail servers may refuse, until it is")
		}
		if !s.given("SUPPORT_EMAIL") {
			s.warn("SUPPORT_EMAIL is not set: answers to mails go to support@makegood.example, which nobody reads, until it is")
		}
	}
	s.standard("APP_URL", app)
	if app := s.env["APP_URL"]; app != "" { // in a file, the services derive it
		s.standard("LOGIN_URL", strings.TrimRight(app, "/")+"/login")
	}
	s.standard("SUPPORT_EMAIL", "support@makegood.example")
	s.standard("MAIL_FROM", (&mail.Address{Name: s.env["APP_NAME"], Address: "hello@makegood.example"}).String())
}

func (s *settings) warn(format string, args ...any) {
	s.warnings = append(s.warnings, fmt.Sprintf(format, args...))
}

func (s *settings) placeListeners(freePorts bool) error {
	var free []string
	if freePorts {
		var err error
		if free, err = freeAddresses(len(addresses)); err != nil {
			return err
		}
	}
	for i, a := range addresses {
		service, isService := strings.CutSuffix(a.key, "_GRPC_ADDR")
		listen := service + "_GRPC_LISTEN"
		if freePorts && (a.standard != "" || s.given(a.key)) {
			s.env[a.key] = free[i]
			delete(s.env, listen)
		}
		s.standard(a.key, a.standard)
		if isService {
			// A comma list names replicas; the one that we run is the first.
			first, _, _ := strings.Cut(s.env[a.key], ",")
			s.standard(listen, strings.TrimSpace(first))
		}
	}
	return nil
}

func (s *settings) chooseStripe(dir, public string, state State) error {
	if s.simulator {
		s.env["STRIPE_API_BASE"] = "http://" + config.Dialable(s.env["STRIPESIM_ADDR"])
		s.standard("STRIPESIM_DATA", filepath.Join(dir, "stripesim.journal"))
		s.standard("STRIPESIM_WEBHOOK_URL", public+"/webhooks/stripe")
		s.standard("STRIPE_PUBLISHABLE_KEY", simulatorPublishableKey)
		s.standard("STRIPE_JS_URL", s.env["STRIPE_API_BASE"]+"/v3")
		s.standard("DEMO_CHECKOUT", "on")
		s.standard("STRIPE_WEBHOOK_SECRETS", state.WebhookSecret)
	} else {
		delete(s.env, "STRIPESIM_ADDR")
		if s.given("STRIPE_API_BASE") && !s.given("STRIPE_WEBHOOK_SECRETS") {
			return errors.New("STRIPE_API_BASE is set, so STRIPE_WEBHOOK_SECRETS must be too: the secret with which that server signs its webhooks")
		}
	}
	if s.given("STRIPE_API_BASE") {
		s.standard("STRIPE_SECRET_KEY", simulatorKey)
	}
	return nil
}

func (s *settings) chooseTokens(dir string) error {
	for _, t := range []struct{ key, name, actor, role string }{
		{"ADMIN_TOKENS_FILE", "admin", "developer", "admin"},
		{"SERVICE_TOKENS_FILE", "service", "saas", "service"},
	} {
		if s.env[t.key] != "" {
			continue
		}
		hashed, err := ensureToken(dir, t.name, t.actor, t.role)
		if err != nil {
			return err
		}
		s.env[t.key] = hashed
		if t.name == "service" && s.inbox { // the stand-in of the app is the SaaS
			s.standard("INBOX_SERVICE_TOKEN_FILE", rawToken(dir, t.name))
		}
	}
	return nil
}

// given says whether the user set a value, or the file that holds it.
func (s *settings) given(key string) bool { return s.env[key] != "" || s.env[key+"_FILE"] != "" }

// standard sets what the user did not.
func (s *settings) standard(key, value string) {
	if !s.given(key) {
		s.env[key] = value
	}
}

// secret is a value that may be kept in a file of its own.
func (s *settings) secret(key string) (string, error) {
	if value := strings.TrimSpace(s.env[key]); value != "" {
		return value, nil
	}
	body, err := os.ReadFile(s.env[key+"_FILE"])
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", key, err)
	}
	return strings.TrimSpace(string(body)), nil
}

// environ is the environment of a child, with additions of its own and without
// the secrets of others.
func (s *settings) environ(name string, own map[string]string) []string {
	all := maps.Clone(s.env)
	maps.DeleteFunc(all, func(key, _ string) bool { return Withheld(key, name) })
	maps.Copy(all, own)
	var list []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, key+"="+all[key])
	}
	return list
}

// listeners are the addresses that our processes will open, by variable.
func (s *settings) listeners() map[string]string {
	open := map[string]string{}
	for _, a := range addresses {
		key := a.key
		if name, ok := strings.CutSuffix(key, "_GRPC_ADDR"); ok {
			key = name + "_GRPC_LISTEN"
		}
		if s.env[key] != "" && !strings.HasPrefix(s.env[key], "unix:") {
			open[key] = s.env[key]
		}
	}
	return open
}

// checkFree names every address that another program has taken, at once.
func (s *settings) checkFree() error {
	var problems []error
	listeners, giveUp := s.listeners(), time.Now().Add(time.Second)
	for _, key := range slices.Sorted(maps.Keys(listeners)) {
		if err := tryListen(listeners[key], giveUp); err != nil {
			advice := strings.Replace(key, "_LISTEN", "_ADDR", 1) // where it listens follows where others dial
			problems = append(problems, fmt.Errorf("%s %s cannot be opened (%w); set %s to another address", key, listeners[key], errors.Unwrap(err), advice))
		}
	}
	return errors.Join(problems...)
}

// tryListen says why an address cannot be opened. One that is in use is tried
// until giveUp: what this program had open a moment ago, to see whether it is free, is
// held by a process that it starts meanwhile, until that runs.
func tryListen(address string, giveUp time.Time) error {
	for {
		l, err := net.Listen("tcp", address)
		if err == nil {
			return l.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(giveUp) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// freeAddresses finds ports that nobody uses, below those that the system
// hands out for outgoing connections: between the choice and the listening, a
// client's connection must not take one.
func freeAddresses(n int) ([]string, error) {
	const low, high, tries = 20000, 32000, 1000
	var found []string
	for range tries {
		if len(found) == n {
			return found, nil
		}
		port := low + rand.IntN(high-low)
		if !reserve(port) {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		l.Close()
		found = append(found, l.Addr().String())
	}
	return nil, errors.New("no free ports on 127.0.0.1")
}

// reserved keeps chosen ports from being chosen again before they are opened,
// here or by another stack that starts at this moment: an abstract socket has
// one owner on the machine, and ends with this process.
var reserved struct {
	sync.Mutex
	ports map[int]net.Listener
}

func reserve(port int) bool {
	reserved.Lock()
	defer reserved.Unlock()
	if _, taken := reserved.ports[port]; taken {
		return false
	}
	var l net.Listener
	if runtime.GOOS == "linux" { // elsewhere there are none, and chance must do
		var err error
		if l, err = net.Listen("unix", fmt.Sprintf("@makegood-port-%d", port)); err != nil {
			return false
		}
	}
	if reserved.ports == nil {
		reserved.ports = map[int]net.Listener{}
	}
	reserved.ports[port] = l
	return true
}

func freePort() (int, error) {
	found, err := freeAddresses(1)
	if err != nil {
		return 0, err
	}
	_, port, err := net.SplitHostPort(found[0])
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}
