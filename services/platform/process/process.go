// Package process is how a service's main begins and ends: a JSON log, signals
// that drain, and one readable message when it cannot start.
package process

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	_ "golang.org/x/crypto/x509roots/fallback" // an image has no authorities of its own

	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/tracing"
)

// Runtime is what a service takes from its surroundings, so that a test can
// host all services in one process with a clock and a network of its own.
type Runtime struct {
	Log *slog.Logger
	// Now is the clock; all times are UTC.
	Now func() time.Time
	// Listener serves instead of the configured address, when set.
	Listener net.Listener
	// AdminListener serves people instead of the configured address, when set.
	AdminListener net.Listener
	// Dial opens connections to the other services; nil is TCP.
	Dial grpcclient.Dialer
}

// Listen opens the listener: the given one, or addr.
func (r Runtime) Listen(addr string) (net.Listener, error) { return listen(r.Listener, addr) }

// ListenForAdmin opens the listener for people: the given one, or addr.
func (r Runtime) ListenForAdmin(addr string) (net.Listener, error) {
	return listen(r.AdminListener, addr)
}

func listen(given net.Listener, addr string) (net.Listener, error) {
	if given != nil {
		return given, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// Instance names the process that listens on addr of this machine. The name stays the
// same over its restarts, so that it can take back what it had in hand when it was
// killed; two live processes never share one.
func Instance(service, addr string) string {
	machine, err := os.Hostname()
	if err != nil {
		machine = "unnamed"
	}
	name := service + "@" + machine + "/" + addr
	if len(name) > nameMost {
		sum := sha256.Sum256([]byte(name))
		name = service + "@" + hex.EncodeToString(sum[:])
	}
	return name
}

// nameMost is the longest name that River takes.
const nameMost = 100

// GCPercent lets garbage collect for longer than Go does by itself. What a
// service keeps is a few MB: at Go's 100 it would clear up after every few
// dozen requests, and here it holds some tens of MB more under load instead. Who
// measures sets the same.
const GCPercent = 400

// healthWithin bounds the question how the running process is.
const healthWithin = 3 * time.Second

// Main runs a service until SIGINT or SIGTERM and exits with 1 when it fails.
// With the argument healthcheck it starts nothing: it asks the process that runs
// with the same settings, and exits with 1 unless that is well. An image holds
// no other program that could ask.
func Main(name string, run func(context.Context, Runtime) error, healthy func(context.Context) error) {
	if len(os.Args) > 1 && os.Args[1] == "healthcheck" {
		ctx, cancel := context.WithTimeout(context.Background(), healthWithin)
		defer cancel()
		if err := healthy(ctx); err != nil {
			fmt.Fprintln(os.Stderr, name+" is not healthy:", err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(GCPercent)
	}
	log := slog.New(tracing.Log(slog.NewJSONHandler(os.Stderr, nil))).With("service", name)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := run(ctx, Runtime{Log: log, Now: func() time.Time { return time.Now().UTC() }})
	if err != nil && ctx.Err() == nil { // what a signal interrupts is no failure
		log.Error("stopped", "error", err.Error())
		os.Exit(1)
	}
	log.Info("stopped")
}
