package grpcclient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcclient"
)

// peer answers health checks and keeps what it was asked with.
type peer struct {
	healthv1.UnimplementedHealthServer
	calls    atomic.Int64
	md       metadata.MD
	deadline time.Duration
	err      error
}

func (p *peer) Check(ctx context.Context, _ *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	p.calls.Add(1)
	p.md, _ = metadata.FromIncomingContext(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		p.deadline = time.Until(deadline)
	}
	return &healthv1.HealthCheckResponse{}, p.err
}

// serve runs a peer on addr and returns its address and how to kill it.
func serve(t *testing.T, p *peer, addr string) (string, func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	healthv1.RegisterHealthServer(s, p)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String(), s.Stop
}

func dial(t *testing.T, addr string) healthv1.HealthClient {
	t.Helper()
	conn, err := grpcclient.Dial(addr, "orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return healthv1.NewHealthClient(conn)
}

func ask(ctx context.Context, c healthv1.HealthClient) error {
	_, err := c.Check(ctx, &healthv1.HealthCheckRequest{})
	return err
}

func TestACallNamesItsCallerAndHasADeadline(t *testing.T) {
	p := &peer{}
	addr, _ := serve(t, p, "127.0.0.1:0")
	ctx := metadata.AppendToOutgoingContext(t.Context(), access.CallerKey, "payments", "authorization", "Bearer x")
	if err := ask(ctx, dial(t, addr)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(p.md.Get(access.CallerKey), p.md.Get("authorization")); got != "[orders] [Bearer x]" {
		t.Errorf("said %s", got)
	}
	if p.deadline <= 0 || p.deadline > grpcclient.DefaultTimeout {
		t.Errorf("a deadline in %s", p.deadline)
	}
	if md, _ := metadata.FromOutgoingContext(ctx); fmt.Sprint(md.Get(access.CallerKey)) != "[payments]" {
		t.Error("the caller's context was changed")
	}
}

func TestWhatUnreachableMeans(t *testing.T) {
	for err, want := range map[error]bool{
		apperr.New(codes.Unavailable, "X", ""): true, apperr.New(codes.DeadlineExceeded, "X", ""): true,
		context.DeadlineExceeded: true, context.Canceled: true,
		apperr.FromStatus(status.Error(codes.Unavailable, "")): true,
		apperr.New(codes.InvalidArgument, "X", ""):             false, apperr.New(codes.Internal, "X", ""): false,
		errors.New("x"): false,
	} {
		if grpcclient.Unreachable(err) != want {
			t.Errorf("%v: want %t", err, want)
		}
	}
	if grpcclient.Unreachable(nil) {
		t.Error("an answer is no silence")
	}
}

func TestAPeerThatComesLaterOrAgain(t *testing.T) {
	p := &peer{}
	addr, kill := serve(t, p, "127.0.0.1:0")
	kill()
	c := dial(t, addr)
	err := ask(t.Context(), c)
	if !grpcclient.Unreachable(err) || apperr.Of(err) == nil {
		t.Fatalf("nobody there: %v", err)
	}
	for round := range 2 {
		_, kill := serve(t, p, addr)
		deadline := time.Now().Add(5 * time.Second)
		for ask(t.Context(), c) != nil {
			if time.Now().After(deadline) {
				t.Fatalf("round %d: not found again", round)
			}
			time.Sleep(10 * time.Millisecond)
		}
		kill()
	}
}

func TestReplicasShareTheCallsAndStandInForEachOther(t *testing.T) {
	one, two := &peer{}, &peer{}
	addr1, kill := serve(t, one, "127.0.0.1:0")
	addr2, _ := serve(t, two, "127.0.0.1:0")
	c := dial(t, addr1+", "+addr2)
	deadline := time.Now().Add(5 * time.Second)
	for one.calls.Load() == 0 || two.calls.Load() == 0 {
		if err := ask(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("asked %d and %d times", one.calls.Load(), two.calls.Load())
		}
	}
	kill()
	answered := 0
	for deadline := time.Now().Add(5 * time.Second); answered < 20; { // the connection's end may be noticed by a call
		if err := ask(t.Context(), c); err == nil {
			answered++
		} else if time.Now().After(deadline) {
			t.Fatalf("answered %d times after one died: %v", answered, err)
		}
	}
}
