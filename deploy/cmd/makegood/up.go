package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/google/uuid"

	"makegood.example/deploy/internal/stack"
)

// up runs the stack until a signal; a second signal ends it without draining.
func up(ctx context.Context, _ []string) error {
	dir, err := stateDir()
	if err != nil {
		return err
	}
	s, err := stack.Start(ctx, stack.Options{Dir: dir, Env: os.Environ(), Out: os.Stdout})
	if err != nil {
		if ctx.Err() != nil {
			fmt.Println("stopped before everything was up")
			return nil
		}
		return err
	}
	panel(os.Stdout, s)
	<-ctx.Done()
	fmt.Println("\nstopping; once more to end at once")
	impatient, stop := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.Stop(impatient); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	fmt.Println("stopped; the data is kept in", dir)
	return nil
}

// panel is the last thing that is printed: what is where, and what to try.
func panel(w io.Writer, s *stack.Stack) {
	line := func(name, what string) {
		if what != "" {
			fmt.Fprintf(w, "  %-10s %s\n", name, what)
		}
	}
	fmt.Fprintf(w, "\nMakegood is up.\n\n")
	line("shop", s.URL())
	line("desk", s.AdminURL()+"   (for support; sign in with the token in "+filepath.Join(s.Dir(), "admin.token")+")")
	line("mail", s.InboxURL())
	line("app", s.AppURL())
	line("stripe", s.StripeURL())
	line("metrics", s.MetricsURL())
	line("addresses", filepath.Join(s.Dir(), "run", "env"))
	line("logs", filepath.Join(s.Dir(), "log"))
	if s.StripeURL() != "" { // a test card of the simulator; elsewhere it may be money
		if s.Env("DEMO_CHECKOUT") == "on" {
			fmt.Fprintf(w, "\nBuy in a browser, and break things: %s/\n", s.URL())
		}
		fmt.Fprintf(w, `
Buy the $249 plan from here:

  curl -sS %s/v1/orders \
    -H 'Idempotency-Key: %s' -H 'Content-Type: application/json' \
    -d '{"plan_id": "annual", "email": "jane@example.com", "name": "Jane Doe", "payment_method": "pm_card_visa"}'

The same command again is the same order; another Idempotency-Key is another purchase.
`, s.URL(), uuid.NewString())
	}
	if s.InboxURL() != "" {
		fmt.Fprintf(w, "The email arrives at %s\n", s.InboxURL())
	}
	fmt.Fprintf(w, `
Kill a service at the worst moment: kill -9 $(cat '%s')
Ctrl-C stops everything; the data is kept.
`, filepath.Join(s.Dir(), "run", "orders.pid"))
	for _, warning := range s.Warnings() {
		fmt.Fprintf(w, "\nWARNING  %s.\n", warning)
	}
}
