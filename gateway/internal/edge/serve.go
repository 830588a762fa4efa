package edge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// limits are how long a connection may take for what it does, and what the end takes.
type limits struct {
	// header and read bound a request that comes slowly, write an answer that is
	// taken slowly, idle a connection that asks nothing.
	header, read, write, idle time.Duration
	// linger is how long requests are still taken when the gateway is told to stop,
	// while readiness says no: a connection that is under way when the listener closes
	// would be reset.
	linger time.Duration
	// drain is how long requests in hand may take then. What is cut off is finished by
	// the order's own rescue.
	drain time.Duration
}

var usualLimits = limits{
	header: 5 * time.Second, read: 15 * time.Second,
	write: 90 * time.Second, // above the longest call, an admin's
	idle:  60 * time.Second, drain: 8 * time.Second,
}

// maxHeader bounds the headers of a request, in bytes.
const maxHeader = 32 << 10

type lifeKey struct{}

type drainKey struct{}

// Serve serves until ctx ends, and for linger after that, so that load balancers can
// look away first; then it lets the requests in hand finish. None of them runs on
// when it returns.
func Serve(ctx context.Context, name string, listener net.Listener, handler http.Handler, log *slog.Logger, linger time.Duration) error {
	at := usualLimits
	at.linger = linger
	return serve(ctx, name, listener, handler, log, at)
}

func serve(ctx context.Context, name string, listener net.Listener, handler http.Handler, log *slog.Logger, at limits) error {
	// Requests outlive ctx, for they are drained; they do not outlive Serve.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var inHand sync.WaitGroup
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inHand.Add(1)
			defer inHand.Done()
			handler.ServeHTTP(w, r)
		}),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.WithValue(life, lifeKey{}, life), drainKey{}, ctx)
		},
		ReadHeaderTimeout: at.header, ReadTimeout: at.read, WriteTimeout: at.write, IdleTimeout: at.idle,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("serving", "listener", name, "address", listener.Addr().String())

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-served:
		return err
	case <-time.After(at.linger):
	}
	drain, cancel := context.WithTimeout(life, at.drain)
	defer cancel()
	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests in hand took too long to drain; they are cut off", "listener", name)
		err = server.Close()
	}
	end()
	inHand.Wait()
	return err
}

// UntilServerStops detaches a request from its client's presence, but not from
// the server's life.
func UntilServerStops(ctx context.Context) context.Context {
	detached := context.WithoutCancel(ctx)
	life, ok := ctx.Value(lifeKey{}).(context.Context)
	if !ok {
		return detached
	}
	return lived{detached, life}
}

// draining says whether the server that took a request was told to stop.
func draining(r *http.Request) bool {
	drain, ok := r.Context().Value(drainKey{}).(context.Context)
	return ok && drain.Err() != nil
}

// untilDrain ends what a request may go on with when the server is told to stop,
// instead of when it has to be cut off; and after a time in any case.
func untilDrain(ctx context.Context, atMost time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	drain, ok := ctx.Value(drainKey{}).(context.Context)
	if !ok {
		return ctx, cancel
	}
	release := context.AfterFunc(drain, cancel)
	return ctx, func() { release(); cancel() }
}

// lived has the values of one context and the end of another.
type lived struct {
	context.Context
	life context.Context
}

func (l lived) Done() <-chan struct{} { return l.life.Done() }
func (l lived) Err() error            { return l.life.Err() }

// AfterFunc spares every context made of this one a goroutine that would watch it.
func (l lived) AfterFunc(f func()) func() bool { return context.AfterFunc(l.life, f) }
