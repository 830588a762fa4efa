// Command exampleapp runs the example of an app that sells through Makegood; see
// package exampleapp and docs/integrate.md.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"makegood.example/deploy/exampleapp"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, log); err != nil {
		log.Error("exampleapp stopped", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *slog.Logger) error {
	token, err := os.ReadFile(cmp.Or(os.Getenv("SERVICE_TOKEN_FILE"), ".makegood/service.token"))
	if err != nil {
		return fmt.Errorf("SERVICE_TOKEN_FILE: %w", err)
	}
	app, err := exampleapp.New(exampleapp.Config{
		MakegoodURL:  strings.TrimRight(cmp.Or(os.Getenv("MAKEGOOD_URL"), "http://127.0.0.1:8080"), "/"),
		ServiceToken: strings.TrimSpace(string(token)),
		HookSecret:   os.Getenv("ACCESS_HOOK_SECRET"),
		Journal:      cmp.Or(os.Getenv("EXAMPLEAPP_JOURNAL"), ".makegood/exampleapp.journal"),
	}, log)
	if err != nil {
		return err
	}
	defer func() { _ = app.Close() }()
	server := &http.Server{
		Addr: cmp.Or(os.Getenv("EXAMPLEAPP_ADDR"), "127.0.0.1:8090"), Handler: app.Handler(),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	log.Info("the example app listens", "addr", server.Addr)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = server.Shutdown(ending)
	if ended := <-ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
