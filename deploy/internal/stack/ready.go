package stack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	readyPoll   = 50 * time.Millisecond
	readyTry    = time.Second
	startWithin = 60 * time.Second // a start that takes longer has gone wrong
	mayFail     = 3                // a process that ends by itself this often is broken
	tailLines   = 15               // of the log, quoted when something is
)

// awaitReady polls a check of the named process until it succeeds. The error
// names the process and shows the end of its log.
func (s *Stack) awaitReady(ctx context.Context, name string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		attempt, done := context.WithTimeout(ctx, readyTry)
		err := check(attempt)
		done()
		if err == nil {
			return nil
		}
		if n, last := s.group.Failures(name); n >= mayFail {
			return s.broken(name, fmt.Errorf("it ended %d times (%w)", n, last))
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				return s.broken(name, fmt.Errorf("it is not ready after %s: %w", startWithin, err))
			}
			return context.Cause(ctx)
		case <-time.After(readyPoll):
		}
	}
}

func (s *Stack) broken(name string, err error) error {
	return fmt.Errorf("%s: %w\nthe end of %s:\n%s", name, err, s.group.LogPath(name), indent(s.group.Tail(name, tailLines)))
}

// healthy asks a service's gRPC health.
func healthy(addr string, shown credentials.TransportCredentials) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(shown))
		if err != nil {
			return err
		}
		defer conn.Close()
		answer, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
		if err != nil {
			return err
		}
		if answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			return fmt.Errorf("its health is %s", answer.GetStatus())
		}
		return nil
	}
}

// answers asks for a page that is 200 when all is well.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, response.Status)
		}
		return nil
	}
}
