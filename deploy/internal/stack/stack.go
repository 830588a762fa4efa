// Package stack runs the whole product on one machine for development and
// tests: a private PostgreSQL, the Stripe simulator, the mail inbox, the five
// services and the gateway, each a process of its own under one supervisor.
// What the environment names (a database, a Stripe key, a mail server) takes
// the place of a stand-in.
package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/deploy/internal/supervise"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/mtls"
	"makegood.example/services/platform/postgres"
)

// database is the name of the database in the private PostgreSQL.
const database = "makegood"

// Options say what to run and where.
type Options struct {
	// Dir is the state folder: run/, log/, tokens, secrets, data.
	Dir string
	// BinDir holds the programs; <Dir>/bin when empty.
	BinDir string
	// ProductBinDir holds the five services and the edge where they are of
	// another version than the stand-ins; BinDir when empty.
	ProductBinDir string
	// Migrate, when set, brings the database up to date for such a version.
	Migrate func(ctx context.Context, ownerURL string) error
	// Env is the environment that the user set, KEY=value; every process gets
	// it, except for the secrets of others, and what it sets is not replaced.
	Env []string
	// FreePorts gives every listener a free port, also where Env names one.
	FreePorts bool
	// Throwaway data need not survive a power failure, which makes it faster.
	Throwaway bool
	// DatabaseEnv is added to the environment of the private PostgreSQL.
	DatabaseEnv []string
	// Database, when set, is asked for the way by which a service reaches its
	// database, given the direct one: something may stand between.
	Database func(service, url string) (string, error)
	// Replicas is how many processes of each service and of the gateway run; 0 is
	// one. More take FreePorts.
	Replicas int
	// Link, when set, is asked for the way from a process to a replica of a service,
	// given the direct one: something may stand between.
	Link func(from, to, addr string) (string, error)
	// Out is told, in lines for people, what happens; nil for silence.
	Out io.Writer
}

// Stack is a running product.
type Stack struct {
	dir      string
	out      io.Writer
	settings *settings
	replicas []replica
	group    *supervise.Group
	cluster  *postgres.Cluster
	owner    string // URL of the database as its owner
	db       *pgxpool.Pool
	tls      *mtls.Folder // nil when the services speak plainly

	mu       sync.Mutex
	programs map[string]string // the program of each process

	sockets     map[string]string // where each process tells its metrics; nil when they are off
	socketDir   string            // of a long state folder's
	stopMetrics func()

	stopOnce sync.Once
	stopped  chan struct{}
}

// Start runs everything and returns when an order can be placed: every
// service's health is SERVING and GET /readyz is 200. An error names the
// process that failed and shows the end of its log; nothing is left running.
func Start(ctx context.Context, opts Options) (*Stack, error) {
	if opts.Out == nil {
		opts.Out = io.Discard
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, err
	}
	bin := opts.BinDir
	if bin == "" {
		bin = filepath.Join(dir, "bin")
	}
	s := &Stack{dir: dir, out: &screen{out: opts.Out}, programs: map[string]string{}, stopped: make(chan struct{})}
	for _, name := range []string{"stripesim", "inbox"} {
		s.programs[name] = filepath.Join(bin, name)
	}
	for _, name := range Product() {
		s.programs[name] = filepath.Join(cmp.Or(opts.ProductBinDir, bin), name)
	}
	if s.group, err = supervise.Open(dir, s.out); err != nil {
		if errors.Is(err, supervise.ErrLocked) {
			return nil, fmt.Errorf("%w; stop that one first, or set MAKEGOOD_DIR to another folder", err)
		}
		return nil, err
	}
	if err := s.start(ctx, opts); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context, opts Options) error {
	state, err := OpenState(s.dir)
	if err != nil {
		return err
	}
	if s.settings, err = resolve(s.dir, opts.Env, opts.FreePorts, state); err != nil {
		return err
	}
	if err := s.settings.checkFree(); err != nil {
		return err
	}
	if err := s.placeReplicas(opts); err != nil {
		return err
	}
	if err := s.openCertificates(); err != nil {
		return err
	}
	s.renewCertificates()
	if err := s.placeMetrics(); err != nil {
		return err
	}
	s.serveMetrics()
	if err := s.startDatabase(ctx, opts, state); err != nil {
		return err
	}
	if err := s.writeEnv(); err != nil {
		return err
	}
	own, err := s.databaseURLs(opts, state)
	if err != nil {
		return err
	}
	if s.settings.simulator {
		secrets, err := s.settings.secret("STRIPE_WEBHOOK_SECRETS")
		if err != nil {
			return err
		}
		if err := s.run("stripesim", "stripesim", map[string]string{"STRIPE_WEBHOOK_SECRETS": secrets}); err != nil {
			return err
		}
	}
	if s.settings.inbox {
		if err := s.run("inbox", "inbox", nil); err != nil {
			return err
		}
	}
	if err := s.runReplicas(own); err != nil {
		return err
	}
	s.say("waiting until an order can be placed")
	return s.WaitReady(ctx)
}

// startDatabase runs the private PostgreSQL, if no other is named, and
// migrates the schemas.
func (s *Stack) startDatabase(ctx context.Context, opts Options, state State) error {
	if s.settings.postgres {
		port, err := freePort()
		if err != nil {
			return err
		}
		cluster, err := postgres.Prepare(ctx, postgres.Options{
			Dir: postgres.UsableDir(filepath.Join(s.dir, "postgres")), Port: port, Durable: !opts.Throwaway, Out: s.out,
		})
		if err != nil {
			return err
		}
		s.cluster = cluster
		s.say("starting postgres on 127.0.0.1:%d, data in %s", cluster.Port(), cluster.Dir())
		// SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients.
		command := func() *exec.Cmd {
			cmd := cluster.Command()
			cmd.Env = slices.DeleteFunc(cmd.Env, func(pair string) bool {
				key, _, _ := strings.Cut(pair, "=")
				return Withheld(key, "postgres")
			})
			cmd.Env = append(cmd.Env, opts.DatabaseEnv...)
			return cmd
		}
		if err := s.group.Start(supervise.Spec{Name: "postgres", Command: command, StopSignal: syscall.SIGINT}); err != nil {
			return err
		}
		if err := s.awaitReady(ctx, "postgres", cluster.WaitReady); err != nil {
			return err
		}
		if err := cluster.EnsureDatabase(ctx, database); err != nil {
			return err
		}
		s.owner = cluster.URL(database)
	} else {
		owner, err := s.settings.secret("DATABASE_URL")
		if err != nil {
			return err
		}
		s.owner = owner
	}
	migrate := opts.Migrate
	if migrate == nil {
		migrate = func(ctx context.Context, _ string) error { return s.migrate(ctx, state) }
	}
	if err := migrate(ctx, s.owner); err != nil {
		return err
	}
	var err error
	s.db, err = pgxpool.New(ctx, s.owner)
	return err
}

func (s *Stack) migrate(ctx context.Context, state State) error {
	path := filepath.Join(s.dir, "log", "migrate.log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	s.say("migrating the database, told in %s", path)
	return Migrate(ctx, s.owner, state, slog.New(slog.NewJSONHandler(file, nil)))
}

// Migrate brings the schemas and roles of a database up to date, as its owner.
func Migrate(ctx context.Context, ownerURL string, state State, log *slog.Logger) error {
	return migrate.Apply(ctx, ownerURL, Schemas, state.DatabasePasswords, log)
}

// WriteServiceURLs leaves each service's way to its own schema in dir, as
// <service>.url, readable by its owner only.
func WriteServiceURLs(dir, ownerURL string, state State) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, service := range services {
		url, err := migrate.ServiceURL(ownerURL, service, state.DatabasePasswords[service])
		if err != nil {
			return err
		}
		if err := replaceFile(filepath.Join(dir, service+".url"), []byte(url+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// databaseURLs is each service's way to its own schema, unless the user named
// one for it.
func (s *Stack) databaseURLs(opts Options, state State) (map[string]map[string]string, error) {
	own := map[string]map[string]string{}
	for _, service := range services {
		key := strings.ToUpper(service) + "_DATABASE_URL"
		if s.settings.given(key) {
			continue
		}
		url, err := migrate.ServiceURL(s.owner, service, state.DatabasePasswords[service])
		if err != nil {
			return nil, err
		}
		if opts.Database != nil {
			if url, err = opts.Database(service, url); err != nil {
				return nil, err
			}
		}
		own[service] = map[string]string{key: url}
	}
	return own, nil
}

// run starts one of our programs, with what it has for itself. Of several replicas
// the first tells its metrics.
func (s *Stack) run(name, program string, own map[string]string) error {
	own = maps.Clone(own)
	if own == nil {
		own = map[string]string{}
	}
	own["METRICS_ADDR"] = s.sockets[name]
	env := s.settings.environ(program, own)
	s.mu.Lock()
	s.programs[name] = s.programs[program]
	s.mu.Unlock()
	s.say("starting %s", name)
	return s.group.Start(supervise.Spec{Name: name, Command: func() *exec.Cmd {
		s.mu.Lock()
		defer s.mu.Unlock()
		cmd := exec.Command(s.programs[name])
		cmd.Env = env
		return cmd
	}})
}

// Replace lets a process drain and end, and starts the program of its name in
// another folder in its place.
func (s *Stack) Replace(name, binDir string) error {
	s.mu.Lock()
	s.programs[name] = filepath.Join(binDir, filepath.Base(s.programs[name]))
	s.mu.Unlock()
	return s.group.Restart(name)
}

// WaitReady returns when every process works and an order can be placed.
func (s *Stack) WaitReady(ctx context.Context) error {
	if s.settings.simulator {
		if err := s.awaitReady(ctx, "stripesim", answers(s.StripeURL()+"/_sim/healthz")); err != nil {
			return err
		}
	}
	if s.settings.inbox {
		if err := s.awaitReady(ctx, "inbox", answers(s.InboxURL()+"/healthz")); err != nil {
			return err
		}
	}
	for _, r := range s.replicas {
		if err := s.awaitReady(ctx, r.name, func(ctx context.Context) error { return s.Ready(ctx, r.name) }); err != nil {
			return err
		}
	}
	return nil
}

// writeEnv tells other tools where everything is.
func (s *Stack) writeEnv() error {
	told := s.settings.listeners()
	for _, service := range services {
		told[grpcKey(service, "ADDR")] = s.Env(grpcKey(service, "ADDR"))
	}
	for _, key := range []string{"MAKEGOOD_DIR", "PUBLIC_URL", "STRIPE_API_BASE", "SMTP_URL", "METRICS_ADDR", "ADMIN_TOKENS_FILE", "SERVICE_TOKENS_FILE", "GRPC_TLS_DIR"} {
		if value := s.Env(key); value != "" {
			told[key] = value
		}
	}
	told["DATABASE_URL"] = s.owner
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(told)) {
		fmt.Fprintf(&text, "%s=%s\n", key, told[key])
	}
	return replaceFile(filepath.Join(s.dir, "run", "env"), []byte(text.String()), 0o600)
}

// Stop ends everything within ten seconds, in the order in which nothing is
// cut off: what takes requests first, the database last. When ctx ends sooner,
// the rest is killed.
func (s *Stack) Stop(ctx context.Context) error {
	var err error
	s.stopOnce.Do(func() {
		defer close(s.stopped)
		release := context.AfterFunc(ctx, func() { s.group.Stop(0, s.group.Names()...) })
		defer release()
		if s.db != nil {
			s.db.Close()
		}
		s.group.Stop(3*time.Second, s.Replicas(gateway)...)
		s.group.Stop(3*time.Second, named(s.replicas)...)
		s.group.Stop(time.Second, "stripesim", "inbox")
		s.group.Stop(2*time.Second, "postgres")
		if s.stopMetrics != nil {
			s.stopMetrics()
		}
		os.Remove(filepath.Join(s.dir, "run", "env"))
		err = s.group.Close()
	})
	return err
}

// Wait returns when the stack was stopped.
func (s *Stack) Wait() { <-s.stopped }

// screen lets everything that happens at the same time speak in whole lines.
type screen struct {
	mu  sync.Mutex
	out io.Writer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (s *Stack) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func indent(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }
