package oneprocess

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"path/filepath"

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

// Start runs a service that does not run. What is asked of it meanwhile waits.
func (w *World) Start(name string) {
	w.t.Helper()
	for _, s := range services {
		if s.name != name {
			continue
		}
		if w.isRunning(name) {
			w.t.Fatalf("%s runs already", name)
		}
		w.start(s)
		w.askForDue()
		return
	}
	w.t.Fatalf("there is no service %q", name)
}

// Stop lets a service drain and end. The others go on.
func (w *World) Stop(name string) {
	w.t.Helper()
	i := w.takeDown(name)
	if i == nil {
		w.t.Fatalf("%s does not run", name)
	}
	i.stop()
	w.askForDue()
}

// Restart drains a service and runs it again, and waits until it serves.
func (w *World) Restart(name string) {
	w.t.Helper()
	w.Stop(name)
	w.Start(name)
	w.AwaitReady()
}

func (w *World) startGateway(edge, desk net.Listener) {
	rt := process.Runtime{Log: w.log.of("gateway"), Now: w.Clock.Now, Listener: edge, AdminListener: desk, Dial: w.network.dialer("gateway", nil)}
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
