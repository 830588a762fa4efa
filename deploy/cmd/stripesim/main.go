// Command stripesim runs the Stripe simulator as a process of its own. Flags
// default to the environment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"makegood.example/deploy/stripesim"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "stripesim:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", env("STRIPESIM_ADDR", "127.0.0.1:12111"), "where to listen (STRIPESIM_ADDR)")
	data := flag.String("data", env("STRIPESIM_DATA", ""), "file that keeps the state; empty keeps it in memory (STRIPESIM_DATA)")
	webhookURL := flag.String("webhook-url", env("STRIPESIM_WEBHOOK_URL", ""), "where webhooks go; empty sends none (STRIPESIM_WEBHOOK_URL)")
	verbose := flag.Bool("verbose", false, "log every request and webhook")
	flag.Parse()

	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	cfg := stripesim.Config{JournalPath: *data, Logger: log}
	if *webhookURL != "" {
		// A secret stays out of the flags, which every user can list.
		secret, _, _ := strings.Cut(os.Getenv("STRIPE_WEBHOOK_SECRETS"), ",")
		if secret = strings.TrimSpace(secret); secret == "" {
			return errors.New("STRIPESIM_WEBHOOK_URL needs STRIPE_WEBHOOK_SECRETS: the first one signs")
		}
		cfg.Endpoints = []stripesim.Endpoint{{URL: *webhookURL, Secret: secret}}
	}
	sim, err := stripesim.New(cfg)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return errors.Join(err, sim.Close())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("listening", "addr", listener.Addr().String(), "webhooks", *webhookURL, "data", *data)
	select {
	case err = <-failed:
	case <-ctx.Done():
		deadline, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = sim.Close() // lets go of the requests it holds
		err = errors.Join(err, server.Shutdown(deadline))
	}
	return err
}

func env(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
