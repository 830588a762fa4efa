// Package plain is the usual webhook endpoint, to compare with: the Stripe
// library verifies and decodes the event, one INSERT keeps it as jsonb. It is
// part of the benchmark only, and the one place there that knows the library.
package plain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stripe/stripe-go/v76/webhook"
)

// bodyMax is what Stripe's own example accepts.
const bodyMax = 65536

// Run serves deliveries signed with secret until ctx ends. It tells its address
// as the only line on out.
func Run(ctx context.Context, databaseURL, secret string, out io.Writer) error {
	cfg, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return err
	}
	cfg.MaxConns = max(cfg.MaxConns, 16) // as our services
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(pool, secret)}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func handler(pool *pgxpool.Pool, secret string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
		if err != nil {
			http.Error(w, "the body", http.StatusServiceUnavailable)
			return
		}
		event, err := webhook.ConstructEventWithOptions(body, r.Header.Get("Stripe-Signature"), secret, webhook.ConstructEventOptions{IgnoreAPIVersionMismatch: true})
		if err != nil {
			http.Error(w, "the signature", http.StatusBadRequest)
			return
		}
		if _, err := pool.Exec(r.Context(), "INSERT INTO bench.plain (stripe_event_id, body) VALUES ($1, $2) ON CONFLICT DO NOTHING", event.ID, body); err != nil {
			http.Error(w, "the database", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
}
