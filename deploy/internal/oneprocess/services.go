package oneprocess

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"google.golang.org/grpc/test/bufconn"

	"makegood.example/gateway"
	"makegood.example/services/notifications"
	"makegood.example/services/orders"
	"makegood.example/services/payments"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/config"
	"makegood.example/services/platform/process"
	"makegood.example/services/provisioning"
	"makegood.example/services/reconciliation"
)

// service is one of the five. Its address is a name in the world's own network.
type service struct {
	name, prefix, addr string
	run                func(context.Context, config.Lookup, process.Runtime) error
}

var services = []service{
	{"orders", "ORDERS", "127.0.0.1:9101", from(orders.LoadConfig, orders.Run)},
	{"payments", "PAYMENTS", "127.0.0.1:9102", from(payments.LoadConfig, payments.Run)},
	{"provisioning", "PROVISIONING", "127.0.0.1:9103", from(provisioning.LoadConfig, provisioning.Run)},
	{"notifications", "NOTIFICATIONS", "127.0.0.1:9104", from(notifications.LoadConfig, notifications.Run)},
	{"reconciliation", "RECONCILIATION", "127.0.0.1:9105", from(reconciliation.LoadConfig, reconciliation.Run)},
}

// from is what a service's main does.
func from[C any](load func(config.Lookup) (C, error), run func(context.Context, C, process.Runtime) error) func(context.Context, config.Lookup, process.Runtime) error {
	return func(ctx context.Context, lookup config.Lookup, rt process.Runtime) error {
		cfg, err := load(lookup)
		if err != nil {
			return err
		}
		return run(ctx, cfg, rt)
	}
}

// instance is a service that runs.
type instance struct{ stop func() }

// Start runs a service that does not run. What is asked of it meanwhile waits.
func (w *World) Start(name string) {
	w.t.Helper()
	for _, s := range services {
		if s.name != name {
			continue
		}
		if w.running[name] != nil {
			w.t.Fatalf("%s runs already", name)
		}
		rt := process.Runtime{Log: w.log.of(name), Now: w.Clock.Now, Listener: w.network.open(s.addr), Dial: w.network.dial}
		w.running[name] = &instance{w.background(name, func(ctx context.Context) error { return s.run(ctx, w.Setting, rt) })}
		w.askForDue()
		return
	}
	w.t.Fatalf("there is no service %q", name)
}

// Stop lets a service drain and end. The others go on.
func (w *World) Stop(name string) {
	w.t.Helper()
	i := w.running[name]
	if i == nil {
		w.t.Fatalf("%s does not run", name)
	}
	i.stop()
	delete(w.running, name)
	w.askForDue()
}

// Restart drains a service and runs it again, and waits until it serves.
func (w *World) Restart(name string) {
	w.t.Helper()
	w.Stop(name)
	w.Start(name)
	w.awaitReady()
}

func (w *World) startGateway(edge net.Listener) {
	rt := process.Runtime{Log: w.log.of("gateway"), Now: w.Clock.Now, Listener: edge, Dial: w.network.dial}
	w.background("gateway", func(ctx context.Context) error { return from(gateway.LoadConfig, gateway.Run)(ctx, w.Setting, rt) })
}

// tokensFile names the backend of the SaaS.
func (w *World) tokensFile() string {
	sum := sha256.Sum256([]byte(serviceToken))
	body, err := json.Marshal(map[string]any{"tokens": []map[string]string{
		{"actor": "the app", "role": access.Service, "sha256": hex.EncodeToString(sum[:])},
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(w.t.TempDir(), "service-tokens.json")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// network connects the services in memory.
type network struct {
	mu        sync.Mutex
	listeners map[string]*bufconn.Listener
}

func newNetwork() *network { return &network{listeners: map[string]*bufconn.Listener{}} }

func (n *network) open(addr string) net.Listener {
	l := bufconn.Listen(1 << 20)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[addr] = l
	return l
}

func (n *network) dial(ctx context.Context, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[addr]
	n.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("nobody listens on %s", addr)
	}
	return l.DialContext(ctx)
}
