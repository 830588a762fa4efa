// Package oneprocess hosts the whole product in the test's own process: the five
// services and the gateway by their Run, a real PostgreSQL, the Stripe simulator
// and the mail inbox, all on one clock that only the test moves. Two years pass
// in seconds, and between two moments nothing is left to do (advance.go). What
// happens to Stripe's webhooks on their way is the world's choice (post.go).
//
// TestMain must call pgtest.Main with stack.Schemas.
package oneprocess

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/deploy/inbox"
	"makegood.example/deploy/stripesim"
	"makegood.example/services/platform/due"
	"makegood.example/services/platform/pgtest"
)

// Options say how a world begins. The zero value is an undisturbed one.
type Options struct {
	// Begin is the first moment; the beginning of 2026 when zero.
	Begin time.Time
	// Settings replace those of the services, by their names in the environment.
	Settings map[string]string
	// Post decides what becomes of each webhook; Prompt when nil.
	Post Post
	// Between stands between a service that starts and its database: it says where
	// the service finds it. With it, services can be killed, and are run again.
	Between func(w *World, service, database string) (proxied string, line Line, err error)
	// Sparing has only the services look that have something due, and all of them at
	// each sweep: most looks find nothing, and cost more than the rest.
	Sparing bool
}

// World is a running product.
type World struct {
	// Clock is everybody's time.
	Clock *Clock
	// Stripe is the account as its owner and the customers see it.
	Stripe *Stripe
	// DB is the database as its owner, who may look into every schema.
	DB *pgxpool.Pool

	t        testing.TB // whose it is now
	life     testing.TB // with which it ends
	first    beginning
	post     Post
	url      string // of the gateway
	adminURL string // where it serves people
	inbox    *inbox.Inbox
	noMail   func() // ends the inbox
	mailDir  string
	people   map[string]string // tokens by name
	log      *record
	pulses   map[string]*due.Pulse // by service
	sparing  bool
	network  *network
	settings map[string]string
	between  func(service, database string) (string, Line, error)
	skews    map[string]*atomic.Int64 // nanoseconds, by service
	alarms   moments

	mailAway   atomic.Bool
	mailMissed atomic.Int64

	mail  mailbag
	aside []aside

	dueTables []dueTable
	dueRows   string // the query about them

	mu       sync.Mutex           // guards what follows
	running  map[string]*instance // by service
	fallen   map[string]time.Time // killed, and when each is run again
	askAgain bool                 // others run than when dueRows was written
}

// Secrets of a world; they exist only in it.
const (
	stripeKey     = "sk_test_only_for_tests"
	webhookSecret = "whsec_only_for_tests"
	serviceToken  = "the-service-token-of-the-test"
)

// New starts a world and ends it with the test. When the test fails, it shows
// what the services warned of.
func New(t testing.TB, o Options) *World {
	t.Helper()
	if o.Begin.IsZero() {
		o.Begin = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	}
	if o.Post == nil {
		o.Post = Prompt
	}
	w := &World{t: t, life: t, Clock: NewClock(o.Begin), post: o.Post, log: newRecord(t), network: newNetwork(),
		running: map[string]*instance{}, fallen: map[string]time.Time{}, skews: map[string]*atomic.Int64{},
		pulses: map[string]*due.Pulse{}, sparing: o.Sparing}
	if o.Between != nil {
		w.between = func(service, database string) (string, Line, error) { return o.Between(w, service, database) }
	}
	db := pgtest.New(t)
	w.DB = db.Owner(t)
	if o.Sparing {
		if _, err := w.DB.Exec(t.Context(), fmt.Sprintf("ALTER DATABASE %s SET plan_cache_mode = force_generic_plan", db.Name)); err != nil {
			t.Fatal(err)
		}
	}
	w.startStripe()
	w.mailDir = filepath.Join(t.TempDir(), "inbox")
	w.startMail("127.0.0.1:0")
	edge, desk := w.listen(), w.listen()
	w.url, w.adminURL = "http://"+edge.Addr().String(), "http://"+desk.Addr().String()
	w.settings = w.standard(db)
	maps.Copy(w.settings, o.Settings)
	for _, s := range services {
		w.skews[s.name], w.pulses[s.name] = &atomic.Int64{}, &due.Pulse{}
		w.Start(s.name)
	}
	w.startGateway(edge, desk)
	w.AwaitReady()
	w.findDueTables()
	w.Settle()
	return w
}

func (w *World) startStripe() {
	sim, err := stripesim.New(stripesim.Config{Clock: w.Clock.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	w.t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			w.t.Error(err)
		}
		server.Close()
	})
	w.Stripe = &Stripe{t: w.t, handler: sim.Handler(), URL: server.URL}
}

func (w *World) startMail(smtpAddr string) {
	in, err := inbox.Open(inbox.Config{SMTPAddr: smtpAddr, HTTPAddr: "127.0.0.1:0", Dir: w.mailDir}, w.log.of("inbox"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.inbox = in
	w.noMail = w.background("inbox", in.Run)
}

// StopMail ends the mail server: from now on nobody listens there.
func (w *World) StopMail() { w.noMail() }

// StartMail runs it again, at the same address and with what it had received.
func (w *World) StartMail() {
	w.t.Helper()
	w.startMail(w.inbox.SMTPAddr())
}

// standard are the settings that make the world one.
func (w *World) standard(db *pgtest.DB) map[string]string {
	env := map[string]string{
		"STRIPE_SECRET_KEY": stripeKey, "STRIPE_API_BASE": w.Stripe.URL, "STRIPE_WEBHOOK_SECRETS": webhookSecret,
		"STRIPE_TIMEOUT": "20s", // a slow machine is no silent Stripe
		"SMTP_URL":       "smtp://" + w.inbox.SMTPAddr(), "PUBLIC_URL": w.url, "APP_URL": "https://app.example.com",
		"ADMIN_ADDR": "127.0.0.1:0", "SERVICE_TOKENS_FILE": w.tokensFile(), "ADMIN_TOKENS_FILE": w.makePeople(),
		"ATTEMPTS_PER_IP": "100000", "REQUESTS_PER_IP": "1000000", "ATTEMPTS_PER_EMAIL": "100000",
		// Sweeps would look every two minutes of two years.
		"RECONCILE_EVERY": "off",
	}
	for _, s := range services {
		env[s.prefix+"_DATABASE_URL"] = db.URL(s.name)
		env[s.prefix+"_GRPC_ADDR"] = s.addr
	}
	return env
}

// AdminURL is where the gateway serves people with a role.
func (w *World) AdminURL() string { return w.adminURL }

// Setting is a value of the services' environment.
func (w *World) Setting(key string) (string, bool) {
	v, ok := w.settings[key]
	return v, ok
}

func (w *World) listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// background runs something until the test ends; it must not fail before.
func (w *World) background(name string, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			w.t.Errorf("%s ended: %v", name, err)
		}
	})
	w.life.Cleanup(stop)
	return stop
}

// readyTimeout is real time: starting five services on a slow machine.
const readyTimeout = 3 * time.Minute

// AwaitReady waits until an order can be placed. A service that could not start, as on
// a machine that has no time for it, is run again.
func (w *World) AwaitReady() {
	w.t.Helper()
	var said string
	for deadline := time.Now().Add(readyTimeout); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		w.raise()
		status, raw, err := w.do(http.MethodGet, w.url+"/readyz", nil, nil)
		if err == nil && status == http.StatusOK {
			return
		}
		said = fmt.Sprintf("%d %s %v", status, raw, err)
	}
	w.t.Fatalf("the world is not ready: %s", said)
}
