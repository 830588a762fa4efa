// Package metrics is how every process tells what it does: one registry per
// process, served as Prometheus text when METRICS_ADDR is set. Counters are kept
// here, from the process's start; what is a sum over the database is read from
// it when somebody asks, and not more often than every ten seconds.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"makegood.example/services/platform/config"
)

// unixPrefix begins an address that is a socket in the file system.
const unixPrefix = "unix:"

// LoadAddr reads METRICS_ADDR: host:port, unix:/path, or nothing for off.
func LoadAddr(r *config.Reader) string {
	addr := r.String("METRICS_ADDR", "")
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		if !filepath.IsAbs(path) {
			r.Problem("METRICS_ADDR=%q does not name an absolute path after unix:", addr)
		}
	} else if _, _, err := net.SplitHostPort(addr); addr != "" && err != nil {
		r.Problem("METRICS_ADDR=%q is neither host:port nor unix:/path", addr)
	}
	return addr
}

// Set is what one process tells. Every series carries the name of its service.
type Set struct {
	prometheus.Registerer
	registry *prometheus.Registry
	// RPC counts calls on both sides.
	RPC *RPC
}

// New begins a set with what every process tells: its Go runtime, its memory
// and processor time, and its calls.
func New(service string) *Set {
	registry := prometheus.NewRegistry()
	s := &Set{Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, registry), registry: registry}
	s.RPC = newRPC(s)
	s.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

// Pool adds how a pool of database connections is used.
func (s *Set) Pool(pool *pgxpool.Pool) { s.MustRegister(newPoolStats(pool)) }

// Read adds gauges that are read from the database when somebody asks.
func (s *Set) Read(pool *pgxpool.Pool, now func() time.Time, log *slog.Logger, readings ...Reading) {
	s.MustRegister(newReader(pool, now, log, readings))
}

// Serve answers GET /metrics on addr until ctx ends; with no addr it only waits
// for that. With ready, it also answers GET /healthz and, 200 or 503 as ready
// says, GET /readyz: for who cannot ask the service itself, which wants TLS.
// Errors: the address cannot be opened.
func (s *Set) Serve(ctx context.Context, addr string, ready func() bool, log *slog.Logger) error {
	mux := http.NewServeMux()
	if ready != nil {
		mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
			if !ready() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
	}
	return serve(ctx, addr, mux, s.registry, log)
}

// Serve answers GET /metrics with what gatherer has, like Set.Serve.
func Serve(ctx context.Context, addr string, gatherer prometheus.Gatherer, log *slog.Logger) error {
	return serve(ctx, addr, http.NewServeMux(), gatherer, log)
}

func serve(ctx context.Context, addr string, mux *http.ServeMux, gatherer prometheus.Gatherer, log *slog.Logger) error {
	if addr == "" {
		<-ctx.Done()
		return nil
	}
	listener, err := listen(ctx, addr)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
	}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}
	log.Info("serving metrics", "address", addr)
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("metrics: %w", err)
	}
	<-ended
	return nil
}

// listen opens a port, or a socket in the file system that only this user may
// use. A socket that a killed process left behind is replaced.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(addr, unixPrefix)
	if !isUnix {
		return net.Listen("tcp", addr)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Type() == os.ModeSocket {
		if conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path); err == nil {
			_ = conn.Close()
			return nil, fmt.Errorf("%s is another process's", path)
		}
		_ = os.Remove(path)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}
