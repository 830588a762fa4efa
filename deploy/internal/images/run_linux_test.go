package images

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/uuid"

	"makegood.example/deploy/compose"
	"makegood.example/deploy/inbox"
	"makegood.example/deploy/stripesim"
	"makegood.example/services/platform/postgres"
)

// composeDir is where the Compose file lies.
const composeDir = "../../compose"

// engine runs the services of the Compose file as a container engine would: their
// images, users, mounts, secrets, settings and order, with nothing changed. Each
// has an address of its own on this machine's loopback instead of a network.
type engine struct {
	project *types.Project
	dir     string            // where volumes lie
	address map[string]string // of each service
	running map[string]*output
	roots   map[string]string // of each service, unpacked
}

func newEngine(t *testing.T, env string, secrets map[string]string) *engine {
	t.Helper()
	dir := t.TempDir()
	file, err := os.ReadFile(filepath.Join(composeDir, compose.File))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, body string) {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(body), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	write(compose.File, string(file))
	write("makegood.env", env)
	for name, body := range secrets {
		write("secrets/"+name, body+"\n")
	}
	project, err := compose.Load(t.Context(), dir, map[string]string{"MAKEGOOD_VERSION": release.Version})
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{project: project, dir: dir, address: map[string]string{}, running: map[string]*output{}, roots: map[string]string{}}
	for i, name := range slices.Sorted(maps.Keys(project.Services)) {
		e.address[name] = fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(256), i+1)
	}
	return e
}

// container is a service as the Compose file describes it, with other arguments
// where some are given.
func (e *engine) container(t *testing.T, service string, args ...string) container {
	t.Helper()
	s, ok := e.project.Services[service]
	if !ok {
		t.Fatalf("the Compose file has no %s", service)
	}
	program, tag, _ := strings.Cut(strings.TrimPrefix(s.Image, "makegood/"), ":")
	config, err := imageOf(t, program).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if tag != release.Version || owner(t, s.User) != User || owner(t, config.Config.User) != User || !s.ReadOnly {
		t.Fatalf("%s runs %s as %s", service, s.Image, s.User)
	}
	var mounts []mount
	for _, v := range s.Volumes {
		at := filepath.Join(e.dir, "volumes", v.Source)
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
		mounts = append(mounts, mount{Source: at, Target: v.Target, ReadOnly: v.ReadOnly})
	}
	for _, secret := range s.Secrets {
		mounts = append(mounts, mount{Source: e.project.Secrets[secret.Source].File, Target: "/run/secrets/" + secret.Source, ReadOnly: true})
	}
	if e.roots[service] == "" {
		hosts := "127.0.0.1 localhost\n"
		for name, address := range e.address {
			hosts += address + " " + name + "\n"
		}
		e.roots[service] = unpack(t, program, hosts, mounts)
	}
	c := container{Root: e.roots[service], Mounts: mounts, Env: config.Config.Env}
	for key, value := range s.Environment {
		if value != nil { // "every address" of a container is its own
			c.Env = append(c.Env, key+"="+strings.Replace(*value, "0.0.0.0:", e.address[service]+":", 1))
		}
	}
	c.Args = slices.Concat([]string(s.Entrypoint), []string(s.Command))
	if len(s.Entrypoint) == 0 {
		c.Args = slices.Concat(config.Config.Entrypoint, config.Config.Cmd, []string(s.Command))
	}
	c.Args = append(c.Args, args...)
	return c
}

// up starts a service after what it depends on: jobs that have completed, and
// services that are healthy.
func (e *engine) up(t *testing.T, service string) {
	t.Helper()
	s := e.project.Services[service]
	if _, runs := e.running[service]; runs || service == "postgres" { // which runs on this machine
		return
	}
	for dependency, how := range s.DependsOn {
		e.up(t, dependency)
		if how.Condition == types.ServiceConditionHealthy && dependency != "postgres" {
			e.await(t, dependency)
		}
	}
	c := e.container(t, service)
	if s.Restart == types.RestartPolicyOnFailure { // a job
		said, err := c.run(t)
		if err != nil {
			t.Fatalf("%s: %v\n%s", service, err, said)
		}
		e.running[service] = nil
		return
	}
	e.running[service] = c.start(t)
}

// healthy asks a service as its health check does, in its own container.
func (e *engine) healthy(t *testing.T, service string) (said string, err error) {
	t.Helper()
	c := e.container(t, service)
	c.Args = e.project.Services[service].HealthCheck.Test[1:]
	return c.run(t)
}

func (e *engine) await(t *testing.T, service string) {
	t.Helper()
	var said string
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var err error
		if said, err = e.healthy(t, service); err == nil {
			return
		}
	}
	t.Fatalf("%s is not healthy: %s\n%s", service, said, e.running[service])
}

// TestAPurchaseInContainers: the images run as the Compose file has it, and sell.
func TestAPurchaseInContainers(t *testing.T) {
	database := startPostgres(t)
	stripe, mail := startStandIns(t)
	secrets := map[string]string{
		"postgres-password": "unused", "database-url": database,
		"stripe-secret-key": "sk_test_makegood", "stripe-webhook-secrets": "whsec_example", "smtp-url": "smtp://" + mail,
	}
	for _, service := range []string{"orders", "payments", "provisioning", "notifications", "reconciliation"} {
		u, err := url.Parse(database)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword("makegood_"+service, "example-of-"+service)
		secrets[service+"-database-url"] = u.String()
	}
	example, err := os.ReadFile(filepath.Join(composeDir, "makegood.env"))
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, string(example)+"STRIPE_API_BASE="+stripe+"\n", secrets)

	for _, who := range [][]string{{"new", "-actor", "sam", "-role", "support"}, {"new", "-actor", "saas", "-role", "service", "-file", "/people/service-tokens.json"}} {
		if said, err := e.container(t, "token", who...).run(t); err != nil {
			t.Fatalf("token %v: %v\n%s", who, err, said)
		}
	}
	if said, err := e.healthy(t, "orders"); err == nil {
		t.Errorf("before it runs, Orders is healthy: %s", said)
	}
	services := []string{"orders", "payments", "provisioning", "notifications", "reconciliation", "gateway", "renew-certs"}
	for _, service := range services {
		e.up(t, service)
	}
	for _, service := range services {
		if e.project.Services[service].HealthCheck != nil {
			e.await(t, service)
		}
	}
	e.buy(t)

	// What is not a volume cannot be written, and what is another's cannot be read.
	c := e.container(t, "certs")
	c.Env = []string{"GRPC_TLS_DIR=/elsewhere"}
	if said, err := c.run(t); err == nil || !strings.Contains(said, "read-only file system") {
		t.Errorf("a container writes beside its volumes: %v %s", err, said)
	}
	keys, err := filepath.Glob(filepath.Join(e.dir, "volumes", "tls-orders", "*-key.pem"))
	if err != nil || len(keys) != 1 || filepath.Base(keys[0]) != "orders-key.pem" {
		t.Errorf("Orders has the keys %v (%v)", keys, err)
	}
}

// buy places an order through the gateway and waits until it rests, paid and with
// access.
func (e *engine) buy(t *testing.T) {
	t.Helper()
	orders := "http://" + e.address["gateway"] + ":8080/v1/orders"
	reference := uuid.NewString()
	ask := func(method, address, body string) (state, text string) {
		request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Idempotency-Key", reference)
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var order struct{ State string }
		var raw json.RawMessage
		if err := json.NewDecoder(response.Body).Decode(&raw); err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal(raw, &order) // an error has no state
		return order.State, response.Status + " " + string(raw)
	}
	state, text := ask(http.MethodPost, orders, `{"plan_id": "annual", "email": "jane@example.com", "name": "Jane Doe", "payment_method": "pm_card_visa"}`)
	for end := time.Now().Add(2 * time.Minute); state != "COMPLETE" && state != "RECOVERED"; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the order: %s", text)
		}
		state, text = ask(http.MethodGet, orders+"/"+reference, "")
	}
}

// startPostgres runs a PostgreSQL of the test's own and leads to its database.
func startPostgres(t *testing.T) (owner string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := postgres.UsableDir(filepath.Join(t.TempDir(), "postgres"))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cluster, err := postgres.Prepare(ctx, postgres.Options{Dir: dir, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	server, err := cluster.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if err := cluster.EnsureDatabase(ctx, "makegood"); err != nil {
		t.Fatal(err)
	}
	return cluster.URL("makegood")
}

// startStandIns runs what is not ours: Stripe, and a mail server.
func startStandIns(t *testing.T) (stripe, mail string) {
	t.Helper()
	sim, err := stripesim.New(stripesim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(func() { _ = sim.Close(); server.Close() })
	in, err := inbox.Open(inbox.Config{SMTPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", Dir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = in.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return server.URL, in.SMTPAddr()
}
